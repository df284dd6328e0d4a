// Header, breadcrumb, navigation and the banner that says why what is shown is not live.
import { html, useEffect, useState } from "/static/kit.js";
import { keep } from "/static/kept.js";

export function Header({ page, bare, title }) {
  const trouble = page.format && page.trouble(page.place);
  const notice = page.notice && page.notice.until > performance.now() ? page.notice : null;
  return html`
    ${!bare && html`<${Bar} page=${page} title=${title} />`}
    <div class="banner" role="alert" hidden=${!trouble}>${trouble}</div>
    <div class="notice ${notice?.bad ? "bad" : ""}" role="status" hidden=${!notice}>${notice?.text}
      ${notice?.undo && html` <button type="button" onClick=${() => { page.notice = null; notice.undo(); }}>${page.t("act.undo")}</button>`}</div>
    ${page.deeds?.waiting() ? html`<div class="waiting" role="status">${page.t("act.waiting", { count: page.deeds.waiting() })}</div>` : ""}
    ${!bare && page.menu && html`<${Menu} page=${page} />`}`;
}

function Bar({ page, title }) {
  const now = page.link.beat?.now;
  return html`<header class="frame">
    <button type="button" class="icon" aria-label=${page.t("menu.open")} aria-expanded=${page.menu} aria-controls="menu"
      onClick=${() => { page.menu = !page.menu; page.link.changed(); }}>☰</button>
    <nav class="screens" aria-label=${page.t("nav.screens")}>
      ${page.screens.map(one => html`<a href=${page.href(one.name, one.bare && !page.place ? "" : page.place)} aria-current=${one.name === page.screen ? "page" : null} title=${one.summary}>${title(one)}</a>`)}
    </nav>
    <${Crumbs} page=${page} />
    <span class="plant-time" title=${page.t("time.plant")}>${now ? `${page.format.day(now, page.place)} ${page.format.time(now, page.place, now)} ${page.format.zone_name(page.place, now)}` : "–"}</span>
    <${Settings} page=${page} />
  </header>`;
}

function Crumbs({ page }) {
  const segments = page.place ? page.place.split("/") : [];
  return html`<nav class="crumbs" aria-label=${page.t("nav.place")}>
    ${segments.map((word, n) => html`<a href=${page.href(page.screen, segments.slice(0, n + 1).join("/"))} aria-current=${n === segments.length - 1 ? "location" : null}>${word}</a>`)}
  </nav>`;
}

function Settings({ page }) {
  const choose = (name, apply) => event => { keep(name, event.target.value); apply(event.target.value); };
  return html`<span class="settings">
    <select aria-label=${page.t("settings.language")} value=${page.language} onChange=${choose("language", page.speak)}>
      ${page.languages.map(one => html`<option value=${one}>${one}</option>`)}</select>
    <select aria-label=${page.t("settings.theme")} value=${page.theme} onChange=${choose("theme", page.dress)}>
      ${page.themes.map(one => html`<option value=${one}>${page.t(`theme.${one}`)}</option>`)}</select>
    ${page.user && html`<button type="button" onClick=${() => page.sign_out()} title=${page.t("user.sign_out")}>${page.user} ⏻</button>`}
  </span>`;
}

// The places of the plant over the page, with a search of places and tags by the server; Escape closes it.
function Menu({ page }) {
  const [words, search] = useState("");
  useEffect(() => {
    const close = event => { if (event.key === "Escape") { page.menu = false; page.link.changed(); } };
    addEventListener("keydown", close);
    return () => removeEventListener("keydown", close);
  }, []);
  page.link.look("menu", "_places", "", words ? { find: words } : {});
  const view = page.link.views.menu ?? {};
  const close = () => { page.menu = false; page.link.changed(); };
  return html`<div class="shade" onClick=${close}></div><aside id="menu" class="menu" aria-label=${page.t("menu.title")}>
    <div class="row"><input type="search" autofocus placeholder=${page.t("menu.find")} aria-label=${page.t("menu.find")} value=${words} onInput=${event => search(event.target.value)} />
    <button type="button" class="icon" aria-label=${page.t("menu.close")} onClick=${close}>✕</button></div>
    <${Settings} page=${page} />
    ${words ? html`<${Found} page=${page} found=${view.found} />` : html`<${Places} page=${page} places=${view.places} />`}
  </aside>`;
}

const target = (page, path) => page.href(page.screens.find(one => !one.bare && one.name === ["overview", "overview", "overview", "line", "machine"][path.split("/").length - 1])?.name ?? page.screen, path);

const Places = ({ page, places }) => html`<ul class="places">
  ${(places ?? []).map(one => html`<li class="depth-${one.path.split("/").length}"><a href=${target(page, one.path)} aria-current=${one.path === page.place ? "location" : null}>
    ${one.look ? html`<span class="dot look-${one.look}" aria-hidden="true">${page.looks[one.look].glyph}</span>` : ""}${one.path.split("/").pop()}
    ${one.look ? html`<small>${page.t(`state.${one.look}`)}</small>` : ""}</a></li>`)}</ul>
  ${places && !places.length ? html`<p class="empty">${page.t("menu.empty")}</p>` : ""}`;

const Found = ({ page, found }) => html`<ul class="places">
  ${(found ?? []).map(one => html`<li><a href=${one.tag ? `${target(page, one.path)}?tag=${encodeURIComponent(one.tag)}` : target(page, one.path)}>${one.path}${one.tag ? html` · <b>${one.tag}</b> ${one.value}` : ""}
    ${one.quality && one.quality !== "good" ? html`<small>${page.t(`quality.${one.quality}`)}</small>` : ""}</a></li>`)}</ul>
  ${found && !found.length ? html`<p class="empty">${page.t("menu.none")}</p>` : ""}`;
