// What people tell of a stop: its reason, of all of it or of a part, and where it is to be cut in two.
import { html, useEffect, useState } from "/static/kit.js";

const OPERATOR = 2;
const offers = {};

// What can be told of a place; null while it is on its way.
export function useOffer(path) {
  const [offer, set] = useState(offers[path] ?? null);
  useEffect(() => {
    if (offers[path]) { set(offers[path]); return; }
    fetch(`/act/offer?path=${encodeURIComponent(path)}`).then(answer => answer.ok ? answer.json() : null).then(found => { if (found) { offers[path] = found; set(found); } }).catch(() => {});
  }, [path]);
  return offer;
}

// `stop`: path, begin, end (null: it lasts), code, by, whole_since.
export function TellReason({ stop, page }) {
  const offer = useOffer(stop.path), [cutting, cut] = useState(false);
  if (!page.may(OPERATOR, stop.path)) return html`<p class="note">${page.t("tell.may_not")}</p>`;
  if (!offer) return null;
  if (!offer.reasons.length) return html`<p class="note">${page.t("tell.no_reasons")}</p>`;
  const parted = stop.whole_since && stop.whole_since !== stop.begin;
  const give = async event => {
    event.preventDefault();
    const { code, comment, from, after } = event.target.elements;
    const said = { path: stop.path, started_at: stop.begin, code: Number(code.value), comment: comment.value };
    if (stop.by && stop.code) said.was_code = stop.code;
    if (cutting) {
      const begin = stop.begin, end = stop.end ?? page.now(), at = Math.round(begin + (end - begin) * Number(from.value) / 100);
      if (await page.act("split", { ...said, at, code_after: Number(after.value), ended_at: stop.end })) cut(false);
    } else await page.act("reason", { ...said, ...(parted && stop.end ? { ended_at: stop.end } : {}) });
  };
  const options = chosen => offer.reasons.map(one => html`<option value=${one.code} selected=${one.code === chosen}>${one.name} (${one.code})</option>`);
  return html`<form class="row tell" onSubmit=${give}>
    <label>${page.t(cutting ? "tell.before" : "tell.reason")} <select name="code" required>${options(stop.code)}</select></label>
    ${cutting && html`<${Cut} stop=${stop} page=${page} /><label>${page.t("tell.after")} <select name="after" required>${options(null)}</select></label>`}
    <label class="grow">${page.t("tell.comment")} <input name="comment" maxlength="1000" /></label>
    <button type="submit">${page.t("tell.give")}</button>
    <button type="button" aria-pressed=${cutting} onClick=${() => cut(!cutting)}>${page.t("tell.split")}</button>
  </form>`;
}

function Cut({ stop, page }) {
  const [share, move] = useState(50), end = stop.end ?? page.now(), at = stop.begin + (end - stop.begin) * share / 100;
  return html`<label>${page.t("tell.at", { at: page.format.time(at, stop.path, page.now()) })} <input type="range" name="from" min="1" max="99" value=${share} onInput=${event => move(Number(event.target.value))} /></label>`;
}

// Calls for help at a place, and the answers to those that wait. `calls`: id, path, text, by, at.
export function Calls({ calls, path, page }) {
  const now = page.now(), may = page.may(OPERATOR, path);
  return html`<div class="calls">
    ${calls.map(call => html`<p class="call" role="alert" key=${call.id}><b>${page.t("call.waits")}</b> ${call.path.split("/").pop()} · ${call.text} · ${call.by} · ${page.format.span(now - call.at)}
      ${page.may(OPERATOR, call.path) && html` <button type="button" onClick=${() => page.act("answer", { path: call.path, note: call.id })}>${page.t("call.answer")}</button>`}</p>`)}
    ${may && html`<button type="button" class="help" onClick=${() => { const text = prompt(page.t("call.what")); if (text !== null) page.act("call", { path, text }); }}>${page.t("call.help")}</button>`}
  </div>`;
}
