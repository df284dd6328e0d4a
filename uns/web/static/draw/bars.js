// Bars of parts, one a row: each part has its colour, its word in the legend and its minutes in a table for those who hear it.
import { html } from "/static/kit.js";
import { useWidth, em, scale } from "./size.js";
import { cut } from "./timeline.js";

export function StackedBars({ keys, bars, page }) {
  const [ref, width] = useWidth(), letter = em(), band = 2.2 * letter, left = Math.min(width * .24, 8 * letter);
  const most = Math.max(...bars.map(bar => bar.minutes.reduce((sum, part) => sum + Math.max(part, 0), 0)), 1);
  const x = minutes => left + minutes / most * (width - left - letter), bottom = bars.length * band;
  const over = bars.filter(bar => bar.minutes.some(part => part < 0));
  return html`<div ref=${ref} class="bars">
    <svg width=${width} height=${bottom + 1.6 * letter} role="img" aria-label=${page.t("bars.label")}>
      ${scale(0, most, Math.max((width - left) / (5 * letter), 2)).map(at => html`<line x1=${x(at)} x2=${x(at)} y1="0" y2=${bottom} class="grid" /><text x=${x(at)} y=${bottom + 1.2 * letter} text-anchor="middle" class="tick">${page.format.number(at)}</text>`)}
      ${bars.map((bar, row) => { let reached = 0; return html`
        <text x="0" y=${(row + .5) * band} dominant-baseline="central" class="name">${cut(bar.name, left / letter * 1.6)}</text>
        ${bar.minutes.map((part, n) => { if (part <= 0) return null; const from = reached; reached += part; return html`
          <rect x=${x(from)} y=${row * band + 4} width=${Math.max(x(reached) - x(from) - 1, .5)} height=${band - 8} style=${`fill:var(--loss-${keys[n].token})`}><title>${`${bar.name} · ${keys[n].word} · ${page.format.minutes(part)}`}</title></rect>
          ${x(reached) - x(from) > 3 * letter && html`<text x=${(x(from) + x(reached)) / 2} y=${(row + .5) * band} text-anchor="middle" dominant-baseline="central" style=${`fill:var(--loss-${keys[n].token}-ink)`}>${page.format.number(part)}</text>`}`; })}`; })}
    </svg>
    <ul class="legend">${keys.filter((_, n) => bars.some(bar => bar.minutes[n])).map(one => html`<li><span class="key" style=${`background:var(--loss-${one.token})`}></span>${one.word}</li>`)}</ul>
    ${over.length > 0 && html`<p class="warning">${page.t("bars.over", { names: over.map(bar => bar.name).join(", ") })}</p>`}
  </div>`;
}
