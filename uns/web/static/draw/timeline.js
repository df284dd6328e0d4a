// The states of machines over time, one band each: zoom, pan, what each was, and the story of a stop.
import { html, useState } from "/static/kit.js";
import { useWidth, em, ticks } from "./size.js";
import { Patterns, Area } from "./patterns.js";
import { Story } from "./story.js";

const LENGTHS = [10, 30, 60, 120, 240, 480].map(minutes => minutes * 60e6);

export function Timeline({ timeline, stops, place, page, names = true }) {
  const [ref, width] = useWidth(), now = page.now(), letter = em();
  const known = Math.min(page.link.beat?.now ?? now, now);  // What is later nobody has heard of yet: a state is not drawn on into it.
  const [length, zoom] = useState(LENGTHS[2]), [back, pan] = useState(0), [chosen, choose] = useState(null), [under, point] = useState(null);
  const left = names ? Math.min(width * .2, 8 * letter) : 0, band = 2.4 * letter, bottom = timeline.bands.length * band;
  const end = now - back, begin = end - length, x = at => left + (Math.min(Math.max(at, begin), end) - begin) / length * (width - left);
  const move = part => pan(Math.min(Math.max(back + part * length, 0), timeline.reach_us - length));
  const size = by => { const n = LENGTHS.indexOf(length) + by; if (LENGTHS[n]) { zoom(LENGTHS[n]); pan(Math.min(back, timeline.reach_us - LENGTHS[n])); } };
  const keys = { ArrowLeft: () => move(.25), ArrowRight: () => move(-.25), "+": () => size(-1), "-": () => size(1), Home: () => pan(timeline.reach_us - length), End: () => pan(0) };
  const key = event => { if (keys[event.key]) { keys[event.key](); event.preventDefault(); } };
  const stop_at = (path, at) => stops?.find(stop => stop.path === path && stop.begin <= at && (stop.end ?? now) > at);
  const used = new Set(), told = (path, from, to, look, state) => `${path.split("/").pop()} · ${state} · ${page.format.time(from, place, now)} – ${to ? page.format.time(to, place, now) : page.t("now")} · ${page.format.span((to ?? now) - from)}${stop_at(path, from) ? ` · ${stop_at(path, from).reason ?? page.t("stop.unexplained")}` : ""}`;
  const bands = timeline.bands.map((machine, row) => html`
    ${names && html`<text x="0" y=${(row + .5) * band} dominant-baseline="central" class="name">${cut(machine.name, left / letter * 1.6)}</text>`}
    ${visible(machine.states, begin, end, known, (end - begin) / (width - left)).map(([from, to, look, state]) => {
      used.add(look);
      const words = told(machine.path, from, to, look, state), stop = stop_at(machine.path, from + 1);
      return html`<g onMouseEnter=${() => point(words)} class=${stop ? "stop" : ""}><${Area} page=${page} look=${look} x=${x(from)} y=${row * band + 3} width=${Math.max(x(to ?? known) - x(from), 1)} height=${band - 6} label=${words} onClick=${() => stop && choose(stop.id)} /></g>`;
    })}`);
  return html`<div class="timeline">
    <div class="row tools">
      <button type="button" aria-label=${page.t("timeline.earlier")} onClick=${() => move(.5)}>◀</button>
      <button type="button" aria-label=${page.t("timeline.later")} onClick=${() => move(-.5)} disabled=${back === 0}>▶</button>
      <button type="button" aria-label=${page.t("timeline.closer")} onClick=${() => size(-1)} disabled=${length === LENGTHS[0]}>+</button>
      <button type="button" aria-label=${page.t("timeline.wider")} onClick=${() => size(1)} disabled=${length === LENGTHS[LENGTHS.length - 1]}>−</button>
      ${back > 0 && html`<button type="button" onClick=${() => pan(0)}>${page.t("timeline.now")}</button>`}
      <span class="note">${page.format.time(begin, place, now, false)} – ${page.format.time(end, place, now, false)}</span>
    </div>
    <div ref=${ref} tabindex="0" role="group" aria-label=${page.t("timeline.label")} onKeyDown=${key} onMouseLeave=${() => point(null)}>
      <svg width=${width} height=${bottom + 1.6 * letter} role="img" aria-label=${page.t("timeline.label")}>
        <${Patterns} page=${page} />
        ${ticks(begin, end, Math.max((width - left) / (6 * letter), 2)).map(at => html`<line x1=${x(at)} x2=${x(at)} y1="0" y2=${bottom} class="grid" />
          <text x=${x(at)} y=${bottom + 1.2 * letter} text-anchor=${x(at) > width - 2 * letter ? "end" : "middle"} class="tick">${page.format.time(at, place, now, false)}</text>`)}
        ${bands}
      </svg>
    </div>
    <p class="note under" aria-hidden="true">${under ?? page.t("timeline.hint")}</p>
    <ul class="legend">${[...used].map(look => html`<li><span class="dot look-${look}" aria-hidden="true">${page.looks[look].glyph}</span> ${page.t(`state.${look}`)}</li>`)}</ul>
    <${Story} stop=${stops?.find(stop => stop.id === chosen)} place=${place} page=${page} close=${() => choose(null)} />
  </div>`;
}

// What of the states is seen: of those narrower than a pixel, one stands for its pixel.
function visible(states, begin, end, now, pixel) {
  const found = [];
  let reached = -Infinity;
  for (const state of states) {
    const to = state[1] ?? now;
    if (to <= begin || state[0] >= end || to < reached + pixel) continue;
    found.push(state);
    reached = to;
  }
  return found;
}

export const cut = (text, most) => text.length > most ? `${text.slice(0, Math.max(Math.floor(most) - 1, 1))}…` : text;
