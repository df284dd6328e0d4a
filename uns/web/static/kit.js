// What screens draw with. `html` makes elements, `render` puts them on the page and changes only what differs.
export { html, render, useState, useEffect, useLayoutEffect, useRef, useMemo } from "/static/vendor/preact/preact.js";
import { html } from "/static/vendor/preact/preact.js";

// A framed part with a heading; `note` stands beside it, for its period or unit.
export const Panel = ({ title, note, id, children, kind = "" }) => html`
  <section class="panel ${kind}" id=${id} aria-label=${title}>
    <header><h2>${title}</h2>${note && html`<span class="note">${note}</span>`}</header>${children}
  </section>`;

// What stands where there is nothing to show: why, and what to do next.
export const Empty = ({ children }) => html`<p class="empty">${children}</p>`;

// A choice between few words, as buttons.
export const Choice = ({ page, option, value, words, label }) => html`
  <div class="choice" role="group" aria-label=${label}>
    ${Object.entries(words).map(([key, word]) => html`
      <button type="button" aria-pressed=${key === value} onClick=${() => page.choose(option, key)}>${word}</button>`)}
  </div>`;

// A state by glyph and word; colour and pattern come with the class.
export const State = ({ page, look }) => html`
  <span class="state look-${look}"><span class="grain" aria-hidden="true"></span><span class="words"><span aria-hidden="true">${page.looks[look].glyph}</span> ${page.t(`state.${look}`)}</span></span>`;

// A place as a link that keeps the screen, or goes to another one.
export const Place = ({ page, path, screen, children }) => html`<a href=${page.href(screen ?? page.screen, path)}>${children ?? path.split("/").pop()}</a>`;
