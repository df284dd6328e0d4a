// The screen of one line.
import { html, render, Panel, Empty, Choice } from "/static/kit.js";
import { Machines } from "./machines.js";
import { Timeline } from "/static/draw/timeline.js";
import { StackedBars } from "/static/draw/bars.js";
import { Pareto } from "/static/draw/pareto.js";
import { ControlChart } from "/static/draw/control.js";
import { Alerts } from "/static/draw/alerts.js";
import { Hours, Orders, Bottleneck, Changeovers, Cycles } from "./production.js";

export function draw(root, view, page) {
  render(view.line ? html`<${Line} view=${view} page=${page} />` : html`<${Empty}>${page.t("empty")}<//>`, root);
}

function Line({ view, page }) {
  const { line, machines, timeline, losses, pareto, control, alerts, stops } = view, place = line.path, now = page.now();
  const time = at => page.format.time(at, place, now, false);
  const windows = { shift: page.t("window.shift"), hour: page.t("window.hour"), order: page.t("window.order") };
  const words = key => page.has(`loss.${key}`) ? page.t(`loss.${key}`) : key.toLowerCase().replaceAll("_", " ");
  return html`
    ${line.lines.length > 1 && html`<nav class="lines" aria-label=${page.t("lines")}>${line.lines.map(path => html`<a href=${page.href(page.screen, path)} aria-current=${path === place ? "page" : null}>${path.split("/").slice(1).join("/")}</a>`)}</nav>`}
    <${Machines} machines=${machines} promise=${line.promise_s} page=${page} />
    <${Panel} title=${page.t("timeline")} id="timeline"><${Timeline} timeline=${timeline} stops=${stops} place=${place} page=${page} /><//>
    <div class="columns">
      <${Panel} title=${page.t("losses")} id="losses" note=${losses.bars[0] && `${losses.bars[0].window ?? ""} ${time(losses.bars[0].begin)} – ${losses.bars[0].end ? time(losses.bars[0].end) : page.t("now")} · ${page.t("losses.unit")}`}>
        <${Choice} page=${page} option="window" value=${losses.window} words=${windows} label=${page.t("losses.window")} />
        ${losses.bars.length ? html`<${StackedBars} keys=${losses.keys.map(one => ({ ...one, word: words(one.token.startsWith("other") ? one.key : one.token) }))} bars=${losses.bars} page=${page} />` : html`<${Empty}>${page.t("losses.empty")}<//>`}
      <//>
      <${Panel} title=${page.t("stops")} id="stops" note=${`${time(pareto.begin)} – ${time(pareto.end)} · ${page.format.minutes(pareto.total, 0)}`}>
        <${Choice} page=${page} option="period" value=${page.options.period ?? "shift"} words=${{ shift: page.t("window.shift"), "8h": "8 h", "24h": "24 h" }} label=${page.t("stops.period")} />
        <${Pareto} pareto=${pareto} page=${page} />
      <//>
    </div>
    <div class="columns">
      <${Panel} title=${page.t("hours")} id="hours" note=${view.hours.target === null ? page.t("hours.no_target") : page.t("hours.target", { oee: page.format.percent(view.hours.target, 0) })}><${Hours} hours=${view.hours.list} place=${place} page=${page} /><//>
      <${Panel} title=${page.t("orders")} id="orders"><${Orders} orders=${view.orders} place=${place} page=${page} /><//>
    </div>
    <div class="columns">
      <${Panel} title=${page.t("bottleneck")} id="bottleneck" note=${view.bottleneck && `${page.t(`window.${view.bottleneck.window}`)} · ${page.t("since", { at: time(view.bottleneck.begin) })}`}><${Bottleneck} bottleneck=${view.bottleneck} page=${page} /><//>
      <${Panel} title=${page.t("cycles")} id="cycles" note=${page.t("cycles.unit")}><${Cycles} cycles=${view.cycles} place=${place} page=${page} /><//>
      <${Panel} title=${page.t("changeovers")} id="changeovers" note=${page.t("losses.unit")}><${Changeovers} changeovers=${view.changeovers} place=${place} page=${page} /><//>
    </div>
    <div class="columns">
      <${Panel} title=${page.t("control")} id="control"><${ControlChart} control=${control} page=${page} place=${place} /><//>
      <${Panel} title=${page.t("alerts")} id="alerts"><${Alerts} alerts=${alerts} place=${place} page=${page} /><//>
    </div>`;
}
