// Where the time went, from the calendar down to what made good pieces, and by which formula.
import { html, render, Panel, Empty, Choice, useState } from "/static/kit.js";
import { Pareto } from "/static/draw/pareto.js";
import { Waterfall } from "/static/draw/waterfall.js";

export function draw(root, view, page) {
  render(view.place ? html`<${Losses} view=${view} page=${page} />` : html`<${Empty}>${page.t("empty")}<//>`, root);
}

export const named = (name, page) => page.has(`step.${name}`) ? page.t(`step.${name}`) : page.has(`loss.${name}`) ? page.t(`loss.${name}`) : name.split(".").pop().toLowerCase().replaceAll("_", " ");

function Losses({ view, page }) {
  const { place, window, parts } = view, { format } = page, now = page.now(), time = at => format.time(at, place.path, now, false);
  const [by, count] = useState("minutes");
  const kinds = Object.fromEntries(["shift", "day", "hour", "order"].map(kind => [kind, page.t(`window.${kind}`)]));
  const period = window && `${window.name ?? ""} ${time(window.begin)} – ${window.end ? time(window.end) : page.t("now")} · ${window.status}`;
  return html`<h1 class="heard">${page.t("screen.title")} ${place.path}</h1>
    <div class="row"><${Choice} page=${page} option="window" value=${place.window} words=${kinds} label=${page.t("losses.window")} />
      ${view.windows.length > 1 && html`<select aria-label=${page.t("which")} value=${page.options.at ?? String(window?.begin)} onChange=${event => page.choose("at", event.target.value)}>
        ${[...view.windows].reverse().map(one => html`<option value=${String(one.begin)}>${one.name ?? ""} ${time(one.begin)}</option>`)}</select>`}</div>
    ${!window ? html`<${Empty}>${page.t("no_window")}<//>` : html`
    <div class="columns">
      <${Panel} title=${page.t("waterfall")} id="waterfall" note=${`${period} · ${page.t("minutes")}`}><${Waterfall} steps=${view.waterfall} named=${name => named(name, page)} page=${page} /><//>
      <${Panel} title=${page.t("stops")} id="pareto" note=${`${period} · ${page.t("machine_minutes")}`}>
        <div class="choice" role="group" aria-label=${page.t("rank_by")}>${["minutes", "count"].map(one => html`<button type="button" aria-pressed=${by === one} onClick=${() => count(one)}>${page.t(`pareto.${one}`)}</button>`)}</div>
        <${Pareto} pareto=${view.pareto} page=${page} by=${by} /><//>
    </div>
    <div class="columns">
      <${Panel} title=${page.t("tree")} id="tree"><${Tree} steps=${view.waterfall} page=${page} /><//>
      <${Panel} title=${page.t("measured")} id="measured" note=${place.definition}><${Measured} view=${view} page=${page} /><//>
    </div>`}
    ${parts.length > 0 && html`<${Panel} title=${page.t("parts")} id="parts"><div class="scroll" tabindex="0" role="region" aria-label=${page.t("parts")}><table><thead><tr><th>${page.t("part")}</th><th class="n">OEE</th><th class="n">A</th><th class="n">P</th><th class="n">Q</th><th class="n">${page.t("good")}</th><th class="n">${page.t("scrap")}</th><th class="n">${page.t("seen")}</th></tr></thead><tbody>
      ${parts.map(one => html`<tr><th scope="row"><a href=${page.href(page.screen, one.path, page.options.window ? { window: page.options.window } : {})}>${one.path.split("/").pop()}</a></th>${one.kpi ? html`${["oee", "availability", "performance", "quality"].map(name => html`<td class="n live">${format.percent(one.kpi.values[name])}</td>`)}<td class="n">${format.number(one.kpi.good)}</td><td class="n">${format.number(one.kpi.scrap)}</td><td class="n">${format.percent(one.kpi.coverage, 0)}</td>` : html`<td colspan="7" class="note">${page.t("no_window")}</td>`}</tr>`)}</tbody></table></div><//>`}`;
}

// The same minutes as a tree: level by level what is left, and below it what was taken on the way.
function Tree({ steps, page }) {
  const branches = [];
  for (const step of steps) if (step.kind === "level") branches.push({ ...step, taken: [] }); else branches[branches.length - 1].taken.push(step);
  return html`<ul class="tree">${branches.map(level => html`<li><b>${named(level.name, page)}</b> ${page.format.minutes(level.minutes)}
    ${level.taken.length > 0 && html`<ul>${level.taken.map(step => html`<li>− ${named(step.name, page)} ${page.format.minutes(step.minutes)} <small>${page.format.percent(level.minutes ? step.minutes / level.minutes : null, 0)}</small></li>`)}</ul>`}</li>`)}</ul>`;
}

// Each number with its formula, and what was left out of it, one press away.
function Measured({ view, page }) {
  const excluded = view.waterfall.filter(step => step.kind === "loss" && step.name.startsWith("outside."));
  const above = view.measured.performance > 1;
  return html`${Object.entries(view.measured).map(([name, value]) => html`<details><summary>${name} <b class="live">${view.formulas.kpis[name] && value <= 2 && value >= -1 ? page.format.percent(value) : page.format.measure(value)}</b></summary>
      <p><code>${view.formulas.kpis[name] ?? "–"}</code></p></details>`)}
    ${above && html`<p class="warning">${page.t("performance_above")}</p>`}
    <details><summary>${page.t("excluded", { minutes: page.format.minutes(excluded.reduce((sum, step) => sum + step.minutes, 0), 0) })}</summary>
      <ul>${excluded.map(step => html`<li>${named(step.name, page)} ${page.format.minutes(step.minutes)}</li>`)}${!excluded.length && html`<li>${page.t("none_excluded")}</li>`}</ul></details>
    <details><summary>${page.t("elements")}</summary><dl>${Object.entries({ ...view.formulas.elements, ...view.formulas.totals }).map(([name, what]) => html`<div><dt>${name}</dt><dd>${what}</dd></div>`)}</dl></details>
    ${view.rule && html`<p class="note">${view.rule}</p>`}
    <p class="note">${page.t("audit")} <code>uns audit '${view.audit}'</code></p>`;
}
