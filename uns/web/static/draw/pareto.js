// What lost most, the worst first: minutes as bars, each with its share of all so far. Bars lie, so that words have room.
import { html, Empty } from "/static/kit.js";

const SHOWN = 12;

export function Pareto({ pareto, page, by = "minutes" }) {
  const bars = by === "count" ? [...pareto.bars].sort((a, b) => b.count - a.count) : pareto.bars;
  const most = Math.max(...bars.map(bar => bar[by]), 1e-9), left = bars.slice(SHOWN);
  const figure = value => by === "count" ? page.format.number(value) : page.format.minutes(value);
  if (!bars.length) return html`<${Empty}>${page.t("pareto.none")}<//>${waiting(pareto, page)}`;
  return html`<div class="scroll"><table class="pareto"><thead class="heard"><tr><th>${page.t("pareto.reason")}</th><th>${page.t(`pareto.${by}`)}</th><th>${page.t("pareto.share")}</th></tr></thead><tbody>
    ${bars.slice(0, SHOWN).map(bar => html`<tr class=${bar.reason === null ? "unexplained" : ""}>
      <th scope="row">${bar.reason ?? page.t("pareto.unexplained", { category: bar.category })}</th>
      <td class="long"><span class="bar" style=${`width:${Math.max(bar[by] / most * 100, .5)}%`}></span></td>
      <td class="n">${figure(bar[by])}</td><td class="n note">${by === "count" ? "" : `Σ ${page.format.percent(bar.share, 0)}`}</td></tr>`)}
    ${left.length > 0 && html`<tr><th scope="row">${page.t("pareto.others", { count: left.length })}</th><td></td><td class="n">${figure(left.reduce((sum, bar) => sum + bar[by], 0))}</td><td></td></tr>`}
  </tbody></table></div>${waiting(pareto, page)}`;
}

const waiting = (pareto, page) => pareto.waiting > 0 && html`<p class="note">${page.t("pareto.waiting", { minutes: page.format.minutes(pareto.waiting) })}</p>`;
