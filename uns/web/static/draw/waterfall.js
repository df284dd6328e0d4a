// From one level of time to the next: bars that hang where the last ended. Bars lie, so that words have room.
import { html } from "/static/kit.js";
import { useWidth, em } from "./size.js";
import { cut } from "./timeline.js";

const TOKENS = { outside: "no_data", availability: "stops", performance: "speed", quality: "quality" };

export function Waterfall({ steps, named, page }) {
  const [ref, width] = useWidth(), letter = em(), band = 2 * letter, left = Math.min(width * .36, 13 * letter), right = 5 * letter;
  const most = Math.max(steps[0].minutes, ...steps.map(step => step.left), 1), x = minutes => left + Math.max(minutes, 0) / most * (width - left - right);
  return html`<div ref=${ref}><svg width=${width} height=${steps.length * band + 4} role="img" aria-label=${page.t("waterfall.label")}>
    ${steps.map((step, row) => {
      const level = step.kind === "level", from = level ? 0 : Math.min(step.left, step.left + step.minutes), to = level ? step.minutes : Math.max(step.left, step.left + step.minutes);
      const token = level ? "good" : TOKENS[step.name.split(".")[0]] ?? "other5";
      return html`<text x="0" y=${(row + .5) * band} dominant-baseline="central" class=${level ? "level" : "name"}>${cut(level ? named(step.name) : `− ${named(step.name)}`, left / letter * 1.7)}</text>
        <rect x=${x(from)} y=${row * band + 3} width=${Math.max(x(to) - x(from), 1)} height=${band - 6} style=${`fill:var(--loss-${token})`} stroke="#55606d" stroke-width=".5"><title>${`${named(step.name)} ${page.format.minutes(step.minutes)}`}</title></rect>
        <text x=${x(to) + 5} y=${(row + .5) * band} dominant-baseline="central" class=${step.minutes < 0 ? "flag" : ""}>${page.format.number(step.minutes, 1)}</text>`;
    })}</svg></div>`;
}
