// Alerts that are open, the most severe first; what has just ended stays for a while, marked so, and is not gone unseen.
import { html, Empty, useRef } from "/static/kit.js";

const ENDED_MS = 60000;

export function Alerts({ alerts, place, page }) {
  const known = useRef(new Map()), ended = useRef(new Map()), now = page.now(), clock = performance.now();
  const open = new Set(alerts.list.map(alert => alert.id));
  for (const [id, alert] of known.current) if (!open.has(id) && alerts.more === 0 && `${alert.path}/`.startsWith(`${place}/`)) ended.current.set(id, { ...alert, ended: clock });
  for (const [id, alert] of ended.current) if (open.has(id) || clock - alert.ended > ENDED_MS) ended.current.delete(id);
  known.current = new Map(alerts.list.map(alert => [alert.id, alert]));
  const all = [...alerts.list, ...ended.current.values()];
  if (!all.length) return html`<${Empty}>${page.t("alerts.none")}<//>`;
  return html`<ul class="alerts">${all.map(alert => html`<li class=${alert.ended ? "ended" : ""} data-alert=${alert.id} key=${alert.id}>
    <span class="severity ${alert.severity}">${page.has(`severity.${alert.severity}`) ? page.t(`severity.${alert.severity}`) : alert.severity}</span>
    <div><p>${alert.message}</p><small><a href=${page.href(alert.path.split("/").length > 4 ? "machine" : page.screen, alert.path)}>${alert.path.split("/").slice(1).join("/")}</a> · ${page.format.time(alert.since, place, now)} · ${page.format.span(now - alert.since)}
      ${alert.by ? ` · ${page.t("alerts.by", { by: alert.by })}` : ""}${alert.ended ? html` · <b>${page.t("alerts.ended")}</b>` : ""}</small></div>
    ${alert.state === "raised" && !alert.ended && html`<button type="button" onClick=${() => page.act("acknowledge", { alert: alert.id, path: alert.path })}>${page.t("alerts.seen")}</button>`}
  </li>`)}</ul>${alerts.more > 0 && html`<p class="note">${page.t("alerts.more", { count: alerts.more })}</p>`}`;
}
