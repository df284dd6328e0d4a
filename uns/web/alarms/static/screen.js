// Alarms that stand, the most urgent first, with what people may do about them; figures and history below.
import { html, render, Panel, Empty, Choice, useState } from "/static/kit.js";

const SHELVES = [15, 30, 60, 120, 480];
const OPERATOR = 2, SUPERVISOR = 3;

export function draw(root, view, page) {
  render(view.place ? html`<${Alarms} view=${view} page=${page} />` : html`<${Empty}>${page.t("empty")}<//>`, root);
}

function Alarms({ view, page }) {
  const { place, open, figures, history } = view, periods = { "1h": "1 h", "8h": "8 h", "24h": "24 h" };
  return html`<h1 class="heard">${page.t("screen.title")} ${place.path}</h1>
    <${Panel} title=${page.t("open.title")} id="open" note=${place.path}>
      ${open.list.length ? html`<ul class="alarms-list">${open.list.map(alarm => html`<${Alarm} key=${alarm.id} alarm=${alarm} page=${page} />`)}</ul>` : html`<${Empty}>${page.t("open.none")}<//>`}
      ${open.more > 0 && html`<p class="note">${page.t("alerts.more", { count: open.more })}</p>`}
    <//>
    <div class="columns">
      <${Panel} title=${page.t("figures.title")} id="figures" note=${`${page.format.time(figures.begin, place.path, page.now(), false)} – ${page.t("now")}`}>
        <${Choice} page=${page} option="period" value=${figures.period} words=${periods} label=${page.t("figures.period")} />
        <${Figures} of=${figures} place=${place.path} page=${page} />
      <//>
      <${Panel} title=${page.t("history.title")} id="history"><${History} history=${history} place=${place.path} page=${page} /><//>
    </div>`;
}

const severity = (alarm, page) => html`<span class="severity ${alarm.severity}">${page.has(`severity.${alarm.severity}`) ? page.t(`severity.${alarm.severity}`) : alarm.severity}</span>`;
const state = (alarm, page) => page.has(`alarm.${alarm.alarm_state}`) ? page.t(`alarm.${alarm.alarm_state}`) : alarm.alarm_state;
const link = (alarm, page) => html`<a href=${page.href(alarm.path.split("/").length > 4 ? "machine" : "line", alarm.path)}>${alarm.path.split("/").slice(1).join("/")}</a>`;

function Alarm({ alarm, page }) {
  const [shelving, shelve] = useState(false), now = page.now(), { format } = page;
  const may = page.may(OPERATOR, alarm.path);
  return html`<li class=${alarm.hidden ? "hidden-alarm" : ""} data-alarm=${alarm.id}>
    ${severity(alarm, page)}
    <div class="what"><p>${alarm.first && html`<b>${page.t("first")}</b> `}${alarm.message}</p>
      <small>${link(alarm, page)} · ${format.time(alarm.since, alarm.path, now)} · ${format.span(now - alarm.since)} · <b>${state(alarm, page)}</b>
      ${alarm.by ? ` · ${page.t("alerts.by", { by: alarm.by })}` : ""}${alarm.comment ? ` · “${alarm.comment}”` : ""}
      ${alarm.hidden_by ? ` · ${page.t("hidden_by", { by: alarm.hidden_by, until: alarm.hidden_until ? format.time(alarm.hidden_until, alarm.path, now) : "–" })}` : ""}</small></div>
    ${may && html`<span class="row">
      ${!alarm.by && !alarm.hidden && html`<button type="button" class="acknowledge" onClick=${() => page.act("acknowledge", { alert: alarm.id, path: alarm.path })}>${page.t("acknowledge")}</button>`}
      ${alarm.alarm_state.startsWith("latched") && html`<button type="button" onClick=${() => page.act("reset", { alert: alarm.id, path: alarm.path })}>${page.t("reset")}</button>`}
      ${!alarm.hidden && html`<button type="button" class="shelve" aria-expanded=${shelving} onClick=${() => shelve(!shelving)}>${page.t("shelve")}</button>`}</span>`}
    ${shelving && html`<${Shelf} alarm=${alarm} page=${page} close=${() => shelve(false)} />`}
  </li>`;
}

function Shelf({ alarm, page, close }) {
  const send = async event => {
    event.preventDefault();
    const { minutes, comment } = event.target.elements;
    close();
    await page.act("shelve", { path: alarm.path, alarm: alarm.alarm, minutes: Number(minutes.value), comment: comment.value });
  };
  const most = page.may(SUPERVISOR, alarm.path) ? Infinity : 60;
  return html`<form class="row shelf" onSubmit=${send}>
    <label>${page.t("shelve.for")} <select name="minutes">${SHELVES.filter(one => one <= most).map(one => html`<option value=${one}>${page.format.span(one * 60e6)}</option>`)}</select></label>
    <label class="grow">${page.t("shelve.why")} <input name="comment" required maxlength="1000" /></label>
    <button type="submit">${page.t("shelve")}</button></form>`;
}

function Figures({ of, place, page }) {
  const { format } = page, row = (word, value, aim, bad) => html`<tr class=${bad ? "beyond" : ""}><th scope="row">${page.t(word)}</th><td class="n">${bad ? "▲ " : ""}${value}</td><td class="aim">${aim}</td></tr>`;
  return html`<div class="scroll" tabindex="0"><table class="figures"><thead><tr><th>${page.t("figures.what")}</th><th class="n">${page.t("figures.is")}</th><th>${page.t("figures.aim")}</th></tr></thead><tbody>
    ${row("figures.per_hour", format.number(of.per_hour, 1), "≤ 6", of.per_hour > 6)}
    ${row("figures.worst", of.worst, "≤ 10", of.worst > 10)}
    ${row("figures.flood", format.percent(of.flood_share), "< 1 %", of.flood_share >= 0.01)}
    ${row("figures.top", format.percent(of.top_share, 0), "1–5 %", of.alarms >= 100 && of.top_share > 0.05)}
    ${row("figures.chattering", of.chattering.length, "0", of.chattering.length > 0)}
    ${row("figures.stale", of.stale.length, "0", of.stale.length > 0)}
    ${of.priorities.map(one => html`<tr><th scope="row">${page.has(`severity.${one.name}`) ? page.t(`severity.${one.name}`) : one.name}</th><td class="n">${format.percent(one.share, 0)}</td><td class="aim">${format.percent(one.aim, 0)}</td></tr>`)}
  </tbody></table></div>
  <p class="note">${page.t("figures.note", { count: of.alarms, verdict: page.t(`verdict.${of.verdict}`) })}</p>
  ${of.top.length > 0 && html`<h3>${page.t("figures.often")}</h3><ul>${of.top.map(one => html`<li>${one.times} × ${one.alarm} · <a href=${page.href("alarms", one.path)}>${one.path.split("/").slice(1).join("/")}</a></li>`)}</ul>`}`;
}

function History({ history, place, page }) {
  const { format } = page, now = page.now();
  if (!history.list.length) return html`<${Empty}>${page.t("history.none")}<//>`;
  return html`<ul class="alarms-list">${history.list.map(alarm => html`<li key=${alarm.id}>${severity(alarm, page)}<div class="what"><p>${alarm.message}</p>
    <small>${link(alarm, page)} · ${format.time(alarm.since, alarm.path, now)} – ${format.time(alarm.ended, alarm.path, now)} · ${format.span(alarm.ended - alarm.since)} · ${alarm.by ? page.t("alerts.by", { by: alarm.by }) : page.t("unseen")}</small></div></li>`)}</ul>
    ${history.more > 0 && html`<p class="note">${page.t("alerts.more", { count: history.more })}</p>`}`;
}
