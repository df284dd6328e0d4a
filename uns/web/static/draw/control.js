// A control chart: each point between the limits that judged it; specification limits and target are drawn differently.
import { html, Empty, useState } from "/static/kit.js";
import { useWidth, em, scale, ticks } from "./size.js";

export function ControlChart({ control, page, place }) {
  const [ref, width] = useWidth(), [rules, explain] = useState(false), letter = em(), now = page.now();
  const points = control.points ?? [];
  const chooser = html`<div class="row tools"><select aria-label=${page.t("control.which")} value=${control.chosen} onChange=${event => page.choose("chart", event.target.value)}>
    ${control.names.map(name => html`<option value=${name}>${name}</option>`)}</select>
    <button type="button" aria-expanded=${rules} onClick=${() => explain(!rules)}>${page.t("control.explain")}</button></div>`;
  if (!points.length) return html`<div ref=${ref}><${Empty}>${page.t("control.empty")}<//></div>`;
  const height = 14 * letter, top = letter, right = 5.5 * letter, left = 4.5 * letter, bottom = height - 2 * letter;
  const levels = points.flatMap(point => [point.value, point.lcl, point.ucl, point.mean]).concat([control.usl, control.lsl, control.target]).filter(value => value !== null);
  let low = Math.min(...levels), high = Math.max(...levels);
  const margin = (high - low || Math.abs(high) || 1) * .06;
  low -= margin; high += margin;
  const begin = points[0].at, end = Math.max(points[points.length - 1].at, begin + 1);
  const x = at => left + (at - begin) / (end - begin) * (width - left - right), y = value => bottom - (value - low) / (high - low) * (bottom - top);
  const runs = broken(points), last = points[points.length - 1];
  const fixed = [["USL", control.usl], ["LSL", control.lsl], ["target", control.target]].filter(([, value]) => value !== null && value !== undefined);
  const marks = spread([["x̄", last.mean, "limit"], ["UCL", last.ucl, "limit"], ["LCL", last.lcl, "limit"], ...fixed.map(([name, value]) => [name === "target" ? page.t("control.target") : name, value, "spec"])].filter(([, value]) => value !== null && value !== undefined).map(([name, value, kind]) => ({ name, value, kind, y: y(value) })), 1.1 * letter);
  return html`<div ref=${ref} class="control">${chooser}
    ${control.warning && html`<p class="warning">${control.warning}</p>`}
    <svg width=${width} height=${height} role="img" aria-label=${`${control.chosen} ${control.unit ?? ""}`}>
      ${scale(low, high, 5).map(value => html`<text x=${left - 6} y=${y(value)} text-anchor="end" dominant-baseline="central" class="tick">${page.format.measure(value)}</text><line x1=${left} x2=${width - right} y1=${y(value)} y2=${y(value)} class="grid" />`)}
      <text x="0" y=${top * .7} class="tick">${control.unit ?? page.t(`control.axis.${control.chart === "individuals" ? "values" : "plotted"}`)}</text>
      ${ticks(begin, end, Math.max((width - left - right) / (6 * letter), 2)).map(at => html`<text x=${x(at)} y=${bottom + 1.5 * letter} text-anchor="middle" class="tick">${page.format.time(at, place, now, false)}</text>`)}
      ${fixed.map(([name, value]) => html`<line x1=${left} x2=${width - right} y1=${y(value)} y2=${y(value)} class="spec ${name}" />`)}
      ${["mean", "ucl", "lcl"].map(limit => html`<path d=${steps(points, limit, x, y)} class="limit ${limit}" />`)}
      ${runs.map(run => html`<polyline points=${run.map(point => `${x(point.at)},${y(point.value)}`).join(" ")} class="run" />`)}
      ${points.map(point => html`<g class=${point.flags.length ? "flagged" : point.phase}>
        ${point.flags.length ? html`<path d=${`M${x(point.at)} ${y(point.value) - 6}l6 6l-6 6l-6 -6z`} /><text x=${x(point.at)} y=${y(point.value) - 8} text-anchor="middle">${point.flags.join(",")}</text>` : html`<circle cx=${x(point.at)} cy=${y(point.value)} r="2.2" />`}
        <title>${`${page.format.time(point.at, place, now)} · ${page.format.measure(point.value)} ${control.unit ?? ""}${point.ucl !== null ? ` · LCL ${page.format.measure(point.lcl)}, UCL ${page.format.measure(point.ucl)}` : ""}${point.flags.length ? ` · ${point.flags.join(", ")}` : ""}`}</title></g>`)}
      ${marks.map(mark => html`<text x=${width - right + 4} y=${mark.at} dominant-baseline="central" class=${mark.kind}>${mark.name} ${page.format.measure(mark.value)}</text>`)}
    </svg>
    <p class="note">${control.limits_by ? page.t("control.origin", { by: control.limits_by, since: control.limits_since ? page.format.time(control.limits_since, place, now) : "–", points: control.limits_points ?? "–" }) : ""}</p>
    ${rules && html`<dl class="rules">${["1", "2", "3", "4", "5", "6", "7", "8", "MR", "WE1", "WE2", "WE3", "WE4", "EWMA", "CUSUM", "USL", "LSL"].map(rule => html`<div><dt>${rule}</dt><dd>${page.t(`rule.${rule}`)}</dd></div>`)}</dl>`}
  </div>`;
}

// Stretches of points between which a line may be drawn.
function broken(points) {
  const runs = [[]];
  for (const point of points) { runs[runs.length - 1].push(point); if (point.gap) runs.push([]); }
  return runs.filter(run => run.length > 1);
}

// A limit as it held at each point: a step where it changed, nothing where there was none.
function steps(points, limit, x, y) {
  let path = "", on = false;
  points.forEach((point, n) => {
    if (point[limit] === null) { on = false; return; }
    const from = n ? (x(points[n - 1].at) + x(point.at)) / 2 : x(point.at), to = n + 1 < points.length ? (x(point.at) + x(points[n + 1].at)) / 2 : x(point.at);
    path += `${on ? "L" : "M"}${from} ${y(point[limit])}L${to} ${y(point[limit])}`;
    on = !point.gap;
  });
  return path;
}

// Labels in the order of their lines, none over another.
function spread(marks, distance) {
  marks.sort((a, b) => a.y - b.y);
  let reached = -Infinity;
  for (const mark of marks) { mark.at = Math.max(mark.y, reached + distance); reached = mark.at; }
  return marks;
}
