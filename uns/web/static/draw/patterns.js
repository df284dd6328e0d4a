// The patterns of states as fills of SVG: what colour says, they say too.
import { html } from "/static/kit.js";

const GRAIN = "rgb(0 0 0 / .3)";
const DRAWN = {
  hatch: color => html`<path d="M0 8L8 0M-2 2L2 -2M6 10L10 6" stroke=${color} stroke-width="2" />`,
  dots: color => html`<circle cx="4" cy="4" r="1.4" fill=${color} />`,
  cross: color => html`<path d="M0 8L8 0M0 0L8 8" stroke=${color} stroke-width="1" />`,
};

export const Patterns = ({ page }) => html`<defs>${Object.entries(page.looks).filter(([, look]) => DRAWN[look.pattern]).map(([key, look]) => html`
  <pattern id="grain-${key}" width="8" height="8" patternUnits="userSpaceOnUse">${DRAWN[look.pattern](GRAIN)}</pattern>`)}</defs>`;

// One area of a state; `known` false is drawn dashed.
export function Area({ page, look, x, y, width, height, onClick, label }) {
  const dashed = page.looks[look].pattern === "dashed";
  return html`<g class="look-${look}" onClick=${onClick}>
    <rect x=${x} y=${y} width=${width} height=${height} style="fill:var(--area)" stroke=${dashed || look === "idle" ? "#6b7785" : "none"} stroke-dasharray=${dashed ? "4 3" : "none"} />
    ${DRAWN[page.looks[look].pattern] && html`<rect x=${x} y=${y} width=${width} height=${height} fill="url(#grain-${look})" />`}
    ${width > 26 && html`<text x=${x + 6} y=${y + height / 2} dominant-baseline="central" class="glyph">${page.looks[look].glyph}</text>`}
    ${label && html`<title>${label}</title>`}
  </g>`;
}
