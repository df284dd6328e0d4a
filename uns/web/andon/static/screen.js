// One line on a wall: what it does, for how long, pieces against target, takt. Sizes follow the screen; nothing scrolls.
import { html, render, Empty } from "/static/kit.js";

export function draw(root, view, page) {
  render(view.line ? html`<${Andon} view=${view} page=${page} />` : html`<${Empty}>${page.t("empty")}<//>`, root);
}

function Andon({ view, page }) {
  const { line, state, machines, pieces, takt, order } = view, { format } = page, now = page.now();
  const trouble = page.trouble(line.path), old = page.stale(view.at, line.promise_s, line.path), look = old || !state ? "unknown" : state.look;
  const expected = pieces?.expected ?? null, number = value => value === null || value === undefined ? "–" : format.number(value);
  return html`<div class="wall look-${look}" data-look=${look}>
    <header class="row"><h1>${line.path.split("/").slice(1).join(" / ")}</h1><span class="clock">${format.time(now, line.path, now, false)} ${format.zone_name(line.path, now)}</span>
      <button type="button" class="kiosk" onClick=${() => document.fullscreenElement ? document.exitFullscreen() : document.documentElement.requestFullscreen()}>${page.t("kiosk")}</button>
      <a class="back" href=${page.href("line", line.path)}>${page.t("back")}</a></header>
    <section class="now look-${look}"><div class="sign" aria-hidden="true"><span class="grain"></span><span class="glyph">${page.looks[look].glyph}</span></div>
      <div class="told"><p class="what">${page.t(`state.${look}`)}</p>
      <p class="long">${old ? html`<b>${page.t("old", { age: format.span(now - (view.at ?? now)) })}</b>` : html`${state.machine} · <b>${state.since ? format.span(now - state.since) : "–"}</b>${state.reason ? ` · ${state.reason}` : ""}`}</p></div></section>
    <section class="figures ${old ? "old" : ""}">
      <div><h2>${page.t("actual")}</h2><p class="live">${number(pieces?.good)}</p></div>
      <div><h2>${view.target === null ? page.t("target_none") : page.t("target", { oee: format.percent(view.target, 0) })}</h2><p class="live">${number(expected)}</p>${expected !== null && html`<small class=${pieces.good < expected ? "below" : ""}>${pieces.good < expected ? "▼" : "▲"} ${number(Math.abs(Math.round(pieces.good - expected)))}</small>`}</div>
      <div><h2>${page.t("takt")}</h2><p class="live">${takt ? `${format.number(takt.s, 1)} s` : "–"}</p>${takt?.ideal_s && html`<small>${page.t("takt_ideal", { s: format.number(takt.ideal_s, 1) })}</small>`}</div>
      <div><h2>OEE</h2><p class="live">${format.percent(pieces?.values.oee, 0)}</p></div>
    </section>
    <footer class="row"><ul class="row">${machines.map(one => html`<li><span class="dot look-${old ? "unknown" : one.look}" aria-hidden="true">${page.looks[old ? "unknown" : one.look].glyph}</span> ${one.name}<span class="heard"> ${page.t(`state.${old ? "unknown" : one.look}`)}</span></li>`)}</ul>
      <span>${order?.order ? `${order.order} · ${order.product ?? "–"}` : page.t("no_order")}</span>
      ${view.worst && html`<span class="worst"><span class="severity ${view.worst.severity}">${view.alerts}</span> ${view.worst.message}</span>`}
      <span class="age">${trouble ?? page.t("as_of", { at: format.time(view.at, line.path, now) })}</span></footer>
  </div>`;
}
