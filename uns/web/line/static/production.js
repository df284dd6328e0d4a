// What the line makes: hours against their target, orders, bottleneck, cycle times, changeovers.
import { html, Empty } from "/static/kit.js";
import { useWidth, em } from "/static/draw/size.js";
import { cut } from "/static/draw/timeline.js";

// Each hour as a bar of good pieces, and a mark where the target is; what is below says so by glyph, too.
export function Hours({ hours, place, page }) {
  if (!hours.length) return html`<${Empty}>${page.t("hours.empty")}<//>`;
  const now = page.now(), most = Math.max(...hours.map(hour => Math.max(hour.good + hour.scrap, hour.expected ?? 0)), 1);
  return html`<div class="scroll" tabindex="0" role="region" aria-label=${page.t("hours")}><table class="hours"><thead class="heard"><tr><th>${page.t("hour")}</th><th></th><th>${page.t("good")}</th><th>${page.t("target")}</th></tr></thead><tbody>${hours.map(hour => html`<tr>
    <th scope="row">${page.format.time(hour.begin, place, now, false)}</th>
    <td class="long"><span class="track"><span class="bar" style=${`width:${hour.good / most * 100}%`}></span><span class="bar lost" style=${`width:${hour.scrap / most * 100}%`} title=${`${page.t("scrap")} ${hour.scrap}`}></span>${hour.expected !== null && html`<span class="mark" style=${`left:${Math.min(hour.expected / most * 100, 100)}%`}></span>`}</span></td>
    <td class="n">${page.format.number(hour.good)}</td><td class="n note">${hour.expected === null ? "" : `${hour.good < hour.expected ? "▼" : "▲"} ${page.format.number(hour.expected)}`}</td></tr>`)}</tbody></table></div>`;
}

export function Orders({ orders, place, page }) {
  if (!orders.length) return html`<${Empty}>${page.t("orders.empty")}<//>`;
  const now = page.now();
  return html`<div class="scroll" tabindex="0" role="region" aria-label=${page.t("orders")}><table><thead><tr><th>${page.t("order")}</th><th>${page.t("product")}</th><th>${page.t("begin")}</th><th class="n">${page.t("good")}</th><th class="n">${page.t("scrap")}</th><th class="n">OEE</th></tr></thead><tbody>
    ${orders.map(one => html`<tr><th scope="row">${one.order}${one.open && html` <small>▶ ${page.t("orders.running")}</small>`}</th><td>${one.product}</td><td>${page.format.time(one.begin, place, now, false)}</td><td class="n">${page.format.number(one.good)}</td><td class="n">${page.format.number(one.scrap)}</td><td class="n">${page.format.percent(one.values.oee)}</td></tr>`)}</tbody></table></div>`;
}

export function Bottleneck({ bottleneck, page }) {
  if (!bottleneck) return html`<${Empty}>${page.t("bottleneck.empty")}<//>`;
  const columns = ["sole", "shifting", "blocked", "starved"];
  return html`<div class="scroll" tabindex="0" role="region" aria-label=${page.t("bottleneck")}><table><thead><tr><th>${page.t("machine")}</th>${columns.map(name => html`<th class="n">${page.t(`bottleneck.${name}`)}</th>`)}</tr></thead><tbody>
    ${bottleneck.cells.map(cell => html`<tr><th scope="row"><a href=${page.href("machine", cell.path)}>${cell.path.split("/").pop()}</a>${cell.path === bottleneck.name && html` <small>◆ ${page.t("bottleneck.is")}</small>`}</th>${columns.map(name => html`<td class="n">${page.format.percent(cell[name], 0)}</td>`)}</tr>`)}</tbody></table></div>`;
}

export function Cycles({ cycles, place, page }) {
  const [ref, width] = useWidth(), letter = em();
  if (!cycles.length) return html`<div ref=${ref}><${Empty}>${page.t("cycles.empty")}<//></div>`;
  const band = 2.2 * letter, left = Math.min(width * .24, 8 * letter), most = Math.max(...cycles.map(one => Math.min(one.s[4], one.s[3] * 1.5)), ...cycles.map(one => one.s[5] ?? 0)) || 1;
  const least = Math.min(...cycles.map(one => Math.min(one.s[0], one.s[5] ?? one.s[0]))) * .95, x = s => left + Math.min(Math.max((s - least) / (most - least || 1), 0), 1) * (width - left - 5 * letter);
  return html`<div ref=${ref}><svg width=${width} height=${cycles.length * band} role="img" aria-label=${page.t("cycles.label")}>${cycles.map((one, row) => {
    const [min, p5, median, p95, max, ideal] = one.s, y = (row + .5) * band;
    return html`<text x="0" y=${y} dominant-baseline="central">${cut(one.name, left / letter * 1.6)}</text>
      <line x1=${x(min)} x2=${x(max)} y1=${y} y2=${y} stroke="#55606d" /><rect x=${x(p5)} y=${y - band * .28} width=${Math.max(x(p95) - x(p5), 1)} height=${band * .56} fill="#cfd4da" stroke="#55606d" />
      <line x1=${x(median)} x2=${x(median)} y1=${y - band * .34} y2=${y + band * .34} stroke="#1f2933" stroke-width="2.5" />${ideal !== null && html`<line x1=${x(ideal)} x2=${x(ideal)} y1=${y - band * .42} y2=${y + band * .42} stroke="#75569c" stroke-dasharray="4 3" stroke-width="2" />`}
      <text x=${width - 4.6 * letter} y=${y} dominant-baseline="central">${page.format.number(median, 1)} s</text>
      <title>${`${one.name} · ${one.product ?? ""} · ${page.format.time(one.begin, place, page.now(), false)} · ${one.cycles} · ${page.format.number(median, 2)} s`}</title>`;
  })}</svg>${cycles.filter(one => one.suspicion).map(one => html`<p class="warning">${one.name}: ${one.suspicion}</p>`)}</div>`;
}

export function Changeovers({ changeovers, place, page }) {
  if (!changeovers.length) return html`<${Empty}>${page.t("changeovers.empty")}<//>`;
  const now = page.now();
  return html`<div class="scroll" tabindex="0" role="region" aria-label=${page.t("changeovers")}><table><thead><tr><th>${page.t("begin")}</th><th>${page.t("machine")}</th><th>${page.t("changeovers.way")}</th><th class="n">${page.t("changeovers.took")}</th><th class="n">${page.t("target")}</th></tr></thead><tbody>
    ${changeovers.map(one => html`<tr><td>${page.format.time(one.begin, place, now, false)}</td><th scope="row">${one.path.split("/").pop()}</th><td>${one.from} → ${one.to}</td><td class="n">${page.format.number(one.minutes, 1)}${one.target !== null && one.minutes > one.target && html` <span title=${page.t("above_target")}>▲<span class="heard">${page.t("above_target")}</span></span>`}</td><td class="n">${page.format.number(one.target, 1)}</td></tr>`)}</tbody></table></div>`;
}
