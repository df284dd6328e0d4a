// Tags over time, drawn by uPlot: one scale a unit. A value that is not good is a gap.
import { html, useEffect, useRef } from "/static/kit.js";
import { useWidth, em } from "./size.js";
import uPlot from "/static/vendor/uplot/uplot.js";

const COLORS = ["#1f5288", "#b52626", "#2f7686", "#75569c", "#8a5500", "#1e7d45", "#55606d", "#a33b5f"];
const DASHES = [[], [8, 4], [2, 3], [10, 3, 2, 3]];
const sheet = Object.assign(document.createElement("link"), { rel: "stylesheet", href: "/static/vendor/uplot/uplot.css" });
document.head.append(sheet);

export function Trend({ trend, place, page }) {
  const [ref, width] = useWidth(), box = useRef(null), plot = useRef(null), letter = em();
  const shape = JSON.stringify([trend.traces.map(trace => [trace.tag, trace.unit]), width, page.language]);
  useEffect(() => {
    plot.current?.destroy();
    plot.current = new uPlot(options(trend, width, letter, place, page), table(trend), box.current);
    return () => { plot.current?.destroy(); plot.current = null; };
  }, [shape]);
  useEffect(() => { plot.current?.setData(table(trend)); plot.current?.setScale("x", { min: trend.begin / 1e6, max: Math.max(page.link.beat?.now ?? 0, trend.begin + 1e6) / 1e6 }); });
  return html`<div ref=${ref} class="trend"><div ref=${box}></div><ul class="legend">${trend.traces.map((trace, n) => html`<li><svg width="28" height="10" aria-hidden="true"><line x1="0" x2="28" y1="5" y2="5" stroke=${COLORS[n]} stroke-width="2.5" stroke-dasharray=${DASHES[n % 4].join(" ")} /></svg>${trace.tag}${trace.unit ? ` (${trace.unit})` : ""} <b class="live">${page.format.measure(trace.points.length ? trace.points[trace.points.length - 1][1] : null)}</b></li>`)}</ul></div>`;
}

// All traces on one axis of time: uPlot takes columns, and undefined where a trace has no point.
function table(trend) {
  const times = [...new Set(trend.traces.flatMap(trace => trace.points.map(point => point[0])))].sort((a, b) => a - b), row = new Map(times.map((at, n) => [at, n]));
  const columns = trend.traces.map(trace => { const column = new Array(times.length).fill(undefined); for (const [at, value] of trace.points) column[row.get(at)] = value; return column; });
  return [times.map(at => at / 1e6), ...columns];
}

function options(trend, width, letter, place, page) {
  const units = [...new Set(trend.traces.map(trace => trace.unit ?? ""))], axis = { font: `${Math.round(letter * .85)}px system-ui`, stroke: "#55606d", grid: { stroke: "#e3e6ea" } };
  return {
    width, height: Math.round(15 * letter), legend: { show: false }, cursor: { drag: { x: true, y: false } },
    scales: { x: { time: true }, ...Object.fromEntries(units.map(unit => [unit || "none", {}])) },
    series: [{}, ...trend.traces.map((trace, n) => ({ label: trace.tag, scale: trace.unit || "none", stroke: COLORS[n], width: 1.5, dash: DASHES[n % 4] }))],
    axes: [{ ...axis, values: (_, ticks) => ticks.map(at => page.format.time(at * 1e6, place, page.now(), false)) },
      ...units.slice(0, 2).map((unit, n) => ({ ...axis, scale: unit || "none", side: n ? 1 : 3, label: unit, labelSize: unit ? letter * 1.6 : 0, size: 4.6 * letter, values: (_, ticks) => ticks.map(value => page.format.measure(value)), grid: { show: n === 0, stroke: "#e3e6ea" } }))],
  };
}
