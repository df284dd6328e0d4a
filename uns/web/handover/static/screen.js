// One shift of a line on a page that can be printed: what was made, what stood, what is open, notes, two signatures.
import { html, render, Panel, Empty } from "/static/kit.js";
import { TellReason, Calls } from "/static/tell.js";

const OPERATOR = 2;

export function draw(root, view, page) {
  render(view.line ? html`<${Handover} view=${view} page=${page} />` : html`<${Empty}>${page.t("empty")}<//>`, root);
}

function Handover({ view, page }) {
  const { line, shift } = view, place = line.path, { format } = page, now = page.now();
  if (!shift) return html`<${Empty}>${page.t("no_shift")}<//>`;
  const time = at => format.time(at, place, now, false);
  return html`<header class="row heading"><h1>${page.t("screen.title")} · ${place.split("/").slice(1).join("/")}</h1>
      <label>${page.t("shift")} <select value=${shift.id} onChange=${event => page.choose("shift", event.target.value)}>${view.shifts.map(one => html`<option value=${one.id} selected=${one.id === shift.id}>${one.id} · ${time(one.begin)}</option>`)}</select></label>
      <span>${time(shift.begin)} – ${shift.end ? time(shift.end) : page.t("now")}${shift.running ? ` · ${page.t("running")}` : ""}</span>
      <button type="button" class="print" onClick=${() => print()}>${page.t("print")}</button></header>
    <${Calls} calls=${view.calls} path=${place} page=${page} />
    <${Panel} title=${page.t("made")} id="made"><${Made} made=${view.made} line=${line} page=${page} /><//>
    <div class="columns">
      <${Panel} title=${page.t("stops")} id="stops" note=${format.minutes(view.stops.total, 0)}><${Stops} stops=${view.stops} page=${page} /><//>
      <${Panel} title=${page.t("unexplained")} id="unexplained" note=${String(view.unexplained.length)}>
        ${view.unexplained.length ? html`<ul class="plain">${view.unexplained.map(stop => html`<li key=${stop.id}><b>${stop.path.split("/").pop()}</b> ${time(stop.begin)} – ${stop.end ? time(stop.end) : page.t("now")} · ${format.span((stop.end ?? now) - stop.begin)} · ${stop.state}
          <${TellReason} stop=${stop} page=${page} /></li>`)}</ul>` : html`<${Empty}>${page.t("unexplained.none")}<//>`}
      <//>
      <${Panel} title=${page.t("open_alarms")} id="open-alarms" note=${String(view.alarms.length)}>
        ${view.alarms.length ? html`<ul class="plain">${view.alarms.map(alarm => html`<li key=${alarm.id}><span class="severity ${alarm.severity}">${page.has(`severity.${alarm.severity}`) ? page.t(`severity.${alarm.severity}`) : alarm.severity}</span> ${alarm.message} · ${time(alarm.since)}</li>`)}</ul>` : html`<${Empty}>${page.t("alerts.none")}<//>`}
      <//>
      <${Panel} title=${page.t("notes")} id="notes"><${Notes} notes=${view.notes} place=${place} page=${page} /><//>
    </div>
    <${Panel} title=${page.t("signatures")} id="signatures"><${Signatures} view=${view} place=${place} page=${page} /><//>`;
}

function Made({ made, line, page }) {
  const { format } = page;
  if (!made.length) return html`<${Empty}>${page.t("made.none")}<//>`;
  return html`<div class="scroll" tabindex="0"><table><thead><tr><th>${page.t("machine")}</th><th class="n">${page.t("planned")}</th><th class="n">${page.t("good")}</th><th class="n">${page.t("scrap")}</th><th class="n">OEE</th><th class="n">${page.t("target")}</th><th class="n">A</th><th class="n">P</th><th class="n">Q</th></tr></thead>
    <tbody>${made.map(one => html`<tr key=${one.path}><th scope="row">${one.path.split("/").pop()}</th><td class="n">${format.number(one.planned)}</td><td class="n">${format.number(one.good)}</td><td class="n">${format.number(one.scrap)}</td><td class="n"><b>${format.percent(one.oee)}</b>${one.why_null ? html` <small>${one.why_null}</small>` : ""}</td><td class="n">${format.percent(line.target, 0)}</td>
      <td class="n">${format.percent(one.availability)}</td><td class="n">${format.percent(one.performance)}</td><td class="n">${format.percent(one.quality)}</td></tr>`)}</tbody></table></div>`;
}

const Stops = ({ stops, page }) => stops.bars.length ? html`<ol class="plain">${stops.bars.map(bar => html`<li>${bar.reason ?? page.t("stop.unexplained")} <small>(${bar.category})</small> · <b>${page.format.minutes(bar.minutes, 0)}</b> · ${bar.count} ×</li>`)}</ol>` : html`<${Empty}>${page.t("pareto.none")}<//>`;

function Notes({ notes, place, page }) {
  const { format } = page, now = page.now();
  const send = async event => {
    event.preventDefault();
    const form = event.target;
    if (await page.act("handover", { path: place, text: form.elements.text.value })) form.reset();
  };
  return html`${notes.length ? html`<ul class="plain">${notes.map(note => html`<li key=${note.id}><b>${page.t(`note.${note.kind}`)}</b> ${note.text} <small>${note.by} · ${format.time(note.at, place, now, false)}${note.ended_by ? ` · ${page.t("answered", { by: note.ended_by })}` : ""}</small></li>`)}</ul>` : html`<${Empty}>${page.t("notes.none")}<//>`}
    ${page.may(OPERATOR, place) && html`<form class="row note-form" onSubmit=${send}><label class="grow">${page.t("notes.add")} <input name="text" required maxlength="1000" /></label><button type="submit">${page.t("notes.send")}</button></form>`}`;
}

function Signatures({ view, place, page }) {
  const { signatures, shift } = view, now = page.now();
  return html`<dl>${["gives", "takes"].map(part => html`<div key=${part}><dt>${page.t(`signature.${part}`)}</dt><dd>${signatures[part] ? html`<b>${signatures[part].by}</b> · ${page.format.time(signatures[part].at, place, now)}`
    : page.may(OPERATOR, place) ? html`<button type="button" onClick=${() => page.act("sign", { path: place, shift: shift.id, part })}>${page.t("signature.sign")}</button> <span class="line" aria-hidden="true"></span>` : html`<span class="line"></span>`}</dd></div>`)}</dl>
    <p class="note">${page.t("signature.note")}</p>`;
}
