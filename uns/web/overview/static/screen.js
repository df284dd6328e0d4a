// Tiles of places: state, OEE against target, top loss, alarms. One press goes down, the breadcrumb goes up.
import { html, render, Empty } from "/static/kit.js";

export function draw(root, view, page) {
  render(view.place ? html`<${Overview} view=${view} page=${page} />` : html`<${Empty}>${page.t("empty")}<//>`, root);
}

function Overview({ view, page }) {
  const { place, tiles } = view;
  return html`<h1 class="heard">${place.path}</h1>
    <${Tile} tile=${view.self} place=${place} page=${page} wide />
    ${view.tiles.length === 1 && tiles[0].path === place.path ? "" : html`<div class="tiles">${tiles.map(tile => html`<${Tile} key=${tile.path} tile=${tile} place=${place} page=${page} />`)}</div>`}
    ${view.more > 0 && html`<p class="note">${page.t("more", { count: view.more })}</p>`}`;
}

// What took most: a reason as the plant calls it, else the words for a loss.
const taken = (top, page) => {
  if (top.kind === "stop") return top.name ?? page.t("stop.unexplained");
  return page.has(`loss.${top.name}`) ? page.t(`loss.${top.name}`) : top.name.split(".").pop().replaceAll("_", " ");
};

function Tile({ tile, place, page, wide }) {
  const { format } = page, kpi = tile.kpi, old = page.stale(tile.at, place.promise_s, tile.path), now = page.now();
  const total = Object.values(tile.looks).reduce((sum, count) => sum + count, 0);
  const looks = old ? { unknown: total } : tile.looks;
  const oee = kpi?.values.oee, off = oee !== null && oee !== undefined && place.target !== null ? oee - place.target : null;
  const href = page.href(tile.line ? "line" : page.screen, tile.path);
  return html`<article class="tile ${wide ? "wide" : ""} ${old ? "old" : ""}" data-path=${tile.path}>
    <h2>${wide ? tile.path : html`<a href=${href}>${tile.name}</a>`}</h2>
    <ul class="looks">${Object.entries(looks).map(([look, count]) => html`<li class="look-${look}"><span class="state look-${look}"><span class="grain" aria-hidden="true"></span><span class="words"><span aria-hidden="true">${page.looks[look].glyph}</span> ${count} ${page.t(`state.${look}`)}</span></span></li>`)}</ul>
    ${tile.machines.length > 0 && html`<p class="machines">${tile.machines.map(one => html`<a href=${page.href("machine", one.path)} title=${page.t(`state.${old ? "unknown" : one.look}`)}><span class="dot look-${old ? "unknown" : one.look}" aria-hidden="true">${page.looks[old ? "unknown" : one.look].glyph}</span> ${one.name}<span class="heard"> ${page.t(`state.${old ? "unknown" : one.look}`)}</span></a>`)}</p>`}
    ${kpi ? html`<p class="oee live"><b>${format.percent(oee)}</b> OEE · ${page.has(`window.${kpi.window}`) ? page.t(`window.${kpi.window}`) : kpi.window}
        ${off !== null && html` · <span class=${off < 0 ? "below" : "reached"}>${off < 0 ? "▼" : "▲"} ${page.t(off < 0 ? "below" : "above", { by: format.number(Math.abs(off) * 100, 1), target: format.percent(place.target, 0) })}</span>`}</p>
      <p class="counts live">${page.t("counts", { good: format.number(kpi.good), scrap: format.number(kpi.scrap) })} · ${page.t("since", { at: format.time(kpi.begin, tile.path, now, false) })}</p>
      ${kpi.coverage !== null && kpi.coverage < 1 && html`<p class="note">${page.t("coverage", { share: format.percent(Math.min(.99, Math.floor(kpi.coverage * 100) / 100), 0) })}</p>`}
      ${kpi.why_null && html`<p class="note">${page.t("no_oee", { why: kpi.why_null })}</p>`}`
      : html`<p class="note">${page.t("no_kpi")}</p>`}
    ${tile.top && html`<p class="top"><a href=${page.href("losses", tile.path)}>${page.t("top")}</a>: ${taken(tile.top, page)} · ${format.minutes(tile.top.minutes, 0)}</p>`}
    <p class="alarms">${tile.alerts ? html`<span class="severity ${tile.worst}">${page.has(`severity.${tile.worst}`) ? page.t(`severity.${tile.worst}`) : tile.worst}</span> ` : ""}${page.t("alerts", { count: tile.alerts })}</p>
    ${old && html`<p class="warning">${tile.at ? page.t("age", { at: format.time(tile.at, tile.path, now), age: format.span(now - tile.at) }) : page.t("never")}</p>`}
  </article>`;
}
