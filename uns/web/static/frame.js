// The frame around every screen: where one is, what else there is, and whether what is shown is still so.
import { html, render } from "/static/kit.js";
import { Format } from "/static/format.js";
import { Link } from "/static/link.js";
import { Header } from "/static/header.js";
import { kept, keep } from "/static/kept.js";
import { Deeds } from "/static/deeds.js";

// A snapshot may be on its way so long, by our clock, beyond what is promised.
const ON_THE_WAY_S = 5;
const boot = JSON.parse(document.body.dataset.boot);
const screens = Object.fromEntries(boot.screens.map(screen => [screen.name, screen]));
const modules = {};
const language = () => kept("language") ?? (navigator.languages ?? []).map(tag => tag.slice(0, 2)).find(tag => boot.languages.includes(tag)) ?? "en";

// What a screen has at hand. Everything that it draws is drawn anew each second, so ages grow by themselves.
const page = {
  screen: boot.screen, place: boot.place, options: {}, looks: boot.looks, screens: boot.screens, user: boot.user,
  languages: boot.languages, themes: boot.themes, format: null, words: {}, link: null, notice: null, menu: false,

  t(key, places = {}) {
    const text = this.words[`${this.screen}.${key}`] ?? this.words[key] ?? key;
    return text.replace(/\{(\w+)\}/g, (whole, name) => places[name] ?? whole);
  },
  has(key) { return `${this.screen}.${key}` in this.words || key in this.words; },

  // Plant time, µs; 0 while nothing is known.
  now() { return this.link.now() ?? 0; },

  // How old the whole page is, in words; null: it is live. With a place: what is wrong there counts, too.
  trouble(place) {
    const silent = this.link.silent();
    if (silent !== null) return this.t("link.silent", { age: this.format.span(silent * 1000), at: this.format.time(this.link.beat?.now, this.place, this.now()) });
    const found = (this.link.beat?.troubles ?? []).find(one => !one.place || place === undefined || `${place}/`.startsWith(`${one.place}/`) || `${one.place}/`.startsWith(`${place}/`));
    if (found) return found.text ?? this.t(found.word, found);
    return this.link.beat ? null : this.t("link.connecting");
  },

  // Whether what was so at `at` (µs) is too old to be taken for now: older than promised (s), or the page is in trouble.
  stale(at, promise_s, place) {
    return this.trouble(place ?? this.place) !== null || at === null || at === undefined || this.now() - at > promise_s * 1e6 + ON_THE_WAY_S * 1e6 * (this.link.beat?.rate ?? 1);
  },

  href(screen, place = "", options = {}) {
    const query = new URLSearchParams(options).toString();
    return `/${screen}${place ? `/${place.split("/").map(encodeURIComponent).join("/")}` : ""}${query ? `?${query}` : ""}`;
  },
  go(address) { history.pushState(null, "", address); arrive(); },
  // Chooses an option of this screen; it stands in the address, so that it can be given to others.
  choose(option, value) {
    const options = { ...this.options };
    if (value === null || value === undefined || value === "") delete options[option]; else options[option] = value;
    history.replaceState(null, "", this.href(this.screen, this.place, options));
    arrive();
  },

  // Has something done by name; true when it was done. Who does it is asked for once, where nobody signs in. Without a link
  // it waits in this browser, with the time at which it was said.
  async act(kind, said) {
    const by = this.user ?? kept("name") ?? ask_name();
    return by ? this.deeds.do(kind, { ...said, by }) : false;
  },
  // Whether the user has a role at a place: 1 viewer, 2 operator, 3 supervisor, 4 engineer, 5 admin.
  may(role, place) { return Object.entries(boot.roles).some(([grant, held]) => held >= role && (!grant || `${place}/`.startsWith(`${grant}/`))); },
  sign_in() { location.assign(`/login?to=${encodeURIComponent(location.pathname + location.search)}`); },
  async sign_out() { await fetch("/logout", { method: "POST", headers: { "x-uns-token": boot.token } }); this.sign_in(); },
  tell(text, bad = false, undo = null) { this.notice = { text, bad, undo, until: performance.now() + (undo ? 15000 : 6000) }; draw(); },
};
window.uns = page;

function ask_name() {
  const name = (prompt(page.t("act.who")) ?? "").trim().slice(0, 80);
  if (name) keep("name", name);
  return name;
}

// Takes the address for what is to be shown: /<screen>/<place>?<options>; without a screen, the first.
function arrive() {
  const [, name, ...place] = location.pathname.split("/");
  const next = screens[name] ? name : boot.screens[0].name;
  if (!screens[name] && name) { location.reload(); return; }
  const moved = next !== page.screen || place.map(decodeURIComponent).join("/") !== page.place;
  page.screen = next;
  page.place = place.map(decodeURIComponent).join("/");
  page.options = Object.fromEntries(new URLSearchParams(location.search));
  if (moved) { page.menu = false; scrollTo(0, 0); }
  page.link.look("main", page.screen, page.place, page.options);
  load(page.screen);
  draw();
}

async function load(name) {
  if (modules[name]) return;
  if (screens[name].styled) {
    const sheet = Object.assign(document.createElement("link"), { rel: "stylesheet", href: `/screens/${name}/screen.css` });
    document.head.append(sheet);
  }
  try { modules[name] = await import(`/screens/${name}/screen.js`); } catch (error) { modules[name] = { draw: root => { root.textContent = `${name}: ${error}`; } }; }
  draw();
}

let shown = null, root = null;
function draw() {
  if (!page.format) return;
  const bare = screens[page.screen].bare;
  document.body.classList.toggle("bare", bare);
  document.body.classList.toggle("stale", page.trouble(page.place) !== null);
  document.title = `${page.place.split("/").pop() || page.t("title")} · ${title(screens[page.screen])}`;
  render(html`<${Header} page=${page} bare=${bare} title=${title} />`, head);
  if (shown !== page.screen) { root?.remove(); root = document.createElement("div"); root.className = `screen screen-${page.screen}`; main.append(root); shown = page.screen; }
  const view = page.link.views.main, module = modules[page.screen];
  if (view?.unknown) render(html`<${Unknown} unknown=${view.unknown} />`, root);
  else if (view?.problem) render(html`<p class="empty" role="alert">${view.problem}</p>`, root);
  else if (!view || !module) render(html`<p class="empty">${page.t("loading")}</p>`, root);
  else module.draw(root, view, page);
}

const title = screen => page.words[`${screen.name}.screen.title`] ?? screen.title;
const Unknown = ({ unknown }) => html`
  <div class="unknown" role="alert">
    <h2>${page.t("unknown.title", { place: unknown.place })}</h2>
    <p>${unknown.near.length ? page.t("unknown.near") : page.t("unknown.nothing")}</p>
    <ul>${unknown.near.map(path => html`<li><a href=${page.href(page.screen, path)}>${path}</a></li>`)}</ul>
  </div>`;

// A session lives as long as somebody touches the page: the process is told so, at most once a minute.
function alive() {
  let told = performance.now();
  const touched = () => { if (performance.now() - told > 60000) { told = performance.now(); fetch("/api/me").catch(() => {}); } };
  for (const kind of ["pointerdown", "keydown"]) addEventListener(kind, touched, { passive: true });
}

const head = document.createElement("div"), main = document.createElement("main");
main.id = "main";
document.body.append(head, main);

addEventListener("popstate", arrive);
document.addEventListener("click", event => {
  const link = event.target.closest?.("a[href^='/']");
  if (!link || link.target || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
  if (!screens[new URL(link.href).pathname.split("/")[1]]) return;
  event.preventDefault();
  page.go(link.getAttribute("href"));
});

page.speak = async chosen => {
  page.words = await (await fetch(`/words/${chosen}.json`)).json();
  page.format = new Format(chosen, boot.zones);
  page.language = document.documentElement.lang = chosen;
  draw();
};
page.dress = theme => { page.theme = document.documentElement.dataset.theme = theme; draw(); };

let waiting = false;
page.link = new Link(() => { if (!waiting) { waiting = true; requestAnimationFrame(() => { waiting = false; draw(); }); } });
page.link.ended = () => page.sign_in();
page.deeds = new Deeds(page, boot.token, words => confirm(words));
page.dress(boot.themes.includes(kept("theme")) ? kept("theme") : boot.themes[0]);
arrive();
await page.speak(language());
page.deeds.flush();
if (boot.user) alive();
setInterval(draw, 1000);
