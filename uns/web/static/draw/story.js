// The story of one stop: what was seen, what it counts as and by whom, and where to read on.
import { html } from "/static/kit.js";
import { TellReason } from "/static/tell.js";

export function Story({ stop, place, page, close }) {
  if (!stop) return null;
  const now = page.now(), time = at => page.format.time(at, place, now);
  const rows = [
    ["story.machine", html`<a href=${page.href("machine", stop.path)}>${stop.path}</a>`],
    ["story.time", `${time(stop.begin)} – ${stop.end ? time(stop.end) : page.t("now")} · ${page.format.span((stop.end ?? now) - stop.begin)}`],
    ...(stop.whole_since && stop.whole_since !== stop.begin ? [["story.whole", time(stop.whole_since)]] : []),
    ["story.state", stop.state],
    ["story.reason", stop.reason ? `${stop.reason}${stop.code !== null ? ` (${stop.code})` : ""}` : page.t("stop.unexplained")],
    ["story.by", stop.by ?? "–"],
    ["story.category", stop.category ?? "–"],
    ["story.order", stop.order ?? page.t("story.no_order")],
    ["story.revision", `${stop.status} · ${stop.revision}`],
    ["story.audit", html`<code>uns audit '${stop.id}:${stop.revision}'</code>`],
  ];
  return html`<section class="story" aria-label=${page.t("story.title")}>
    <header class="row"><h3>${page.t("story.title")}</h3><button type="button" class="icon" aria-label=${page.t("menu.close")} onClick=${close}>✕</button></header>
    <dl>${rows.map(([key, value]) => html`<div><dt>${page.t(key)}</dt><dd>${value}</dd></div>`)}</dl>
    <${TellReason} key=${stop.id} stop=${stop} page=${page} />
  </section>`;
}
