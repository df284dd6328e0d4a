// Places, machines and tags: looked through or searched; of one tag its value, where it comes from, its last values, who reads it.
import { html, render, Panel, Empty, useEffect, useRef, useState } from "/static/kit.js";

export function draw(root, view, page) {
  render(html`<${Browser} view=${view} page=${page} />`, root);
}

function Browser({ view, page }) {
  const { place, children, found, tag } = view, begin = Number(page.options.from ?? 0);
  return html`<h1 class="heard">${page.t("screen.title")} ${place.path}</h1>
    <${Panel} title=${page.t("find.title")} id="find" note=${page.t("find.note", { tags: page.format.number(place.counts.tags), machines: page.format.number(place.counts.machines) })}>
      <${Find} page=${page} place=${place.path} />
      ${place.counts.left_out > 0 && html`<p class="note">${page.t("find.left_out", { count: place.counts.left_out })}</p>`}
      ${found && html`<${Found} found=${found} page=${page} />`}
    <//>
    <div class="columns browser">
      <${Panel} title=${place.path || page.t("tree.title")} id="tree" note=${page.format.number(children.count)}>
        ${children.count ? html`<${Rows} rows=${children.rows} place=${place.path} chosen=${tag?.tag} page=${page} />` : html`<${Empty}>${page.t("tree.empty")}<//>`}
        ${children.count > children.page && html`<p class="row">
          ${begin > 0 && html`<button type="button" onClick=${() => page.choose("from", begin - children.page || null)}>${page.t("tree.before")}</button>`}
          ${begin + children.page < children.count && html`<button type="button" onClick=${() => page.choose("from", begin + children.page)}>${page.t("tree.after")}</button>`}</p>`}
      <//>
      ${tag && html`<${Tag} key=${`${tag.path}#${tag.tag}`} tag=${tag} page=${page} />`}
    </div>`;
}

// What is typed goes to the server a moment after the last letter.
function Find({ page, place }) {
  const [words, type] = useState(page.options.find ?? ""), timer = useRef(0);
  const typed = event => { const text = event.target.value; type(text); clearTimeout(timer.current); timer.current = setTimeout(() => page.choose("find", text.trim()), 120); };
  return html`<input type="search" class="wide" placeholder=${page.t(place ? "find.inside" : "find.all", { place })} aria-label=${page.t("find.title")} value=${words} maxlength="200" onInput=${typed} />`;
}

function Found({ found, page }) {
  if (!found.rows.length) return html`<${Empty}>${page.t("find.none")}<//>`;
  return html`<p class="note" role="status">${page.t(found.like ? "find.like" : "find.count", { count: page.format.number(found.count), shown: found.rows.length })}</p>
    <ul class="rows">${found.rows.map(row => html`<li key=${`${row.path}#${row.tag}`}><a href=${page.href("topics", row.path, { tag: row.tag })}><b>${row.tag}</b> <small>${row.path}</small></a>
      <span class="about">${row.about}</span><${Value} row=${row} unit=${row.unit} place=${row.path} page=${page} /></li>`)}</ul>`;
}

const Rows = ({ rows, place, chosen, page }) => html`<ul class="rows">${rows.map(row => html`<li key=${row.id}>
  ${row.kind === "tag" ? html`<a href=${page.href("topics", place, { ...page.options, tag: row.name })} aria-current=${row.name === chosen ? "true" : null}><b>${row.name}</b></a><${Value} row=${row} place=${place} page=${page} />`
    : html`<a href=${page.href("topics", row.id)}><b>${row.name}</b></a><small>${page.t("tree.tags", { count: page.format.number(row.tags) })}</small>`}</li>`)}</ul>`;

function Value({ row, unit, place, page }) {
  if (row.at === undefined) return html`<small class="value">–</small>`;
  return html`<span class="value live">${show(row.value, page)} ${unit ?? ""}${row.quality !== "good" ? html` <small>(${page.t(`quality.${row.quality}`)})</small>` : ""} <small>${page.t("ago", { age: page.format.span(page.now() - row.at) })}</small></span>`;
}

const show = (value, page) => value === null ? "–" : typeof value === "boolean" ? String(value) : page.format.measure(value);

function Tag({ tag, page }) {
  const { format } = page, now = page.now();
  const facts = [
    ["tag.value", html`<b class="live">${show(tag.value ?? null, page)} ${tag.unit}</b>`],
    ["tag.quality", tag.quality ? `${page.t(`quality.${tag.quality}`)} (0x${(tag.code ?? 0).toString(16).padStart(8, "0")})` : "–"],
    ["tag.at", tag.at ? `${format.time(tag.at, tag.path, now)} · ${page.t("ago", { age: format.span(now - tag.at) })}` : page.t("tag.never")],
    ["tag.about", tag.about || page.t("tag.unknown")],
    ["tag.raw", html`<code>${tag.raw}</code>`],
  ];
  return html`<${Panel} title=${`${tag.tag} · ${tag.path.split("/").pop()}`} id="tag">
    <dl>${facts.map(([key, value]) => html`<div><dt>${page.t(key)}</dt><dd>${value}</dd></div>`)}</dl>
    <${Values} tag=${tag} page=${page} />
    <${Readers} tag=${tag} page=${page} />
    <${Snippets} snippets=${tag.snippets} page=${page} /><//>`;
}

// The last values from the log, then those that come; paused, the rows stay and what came meanwhile is fetched on going on.
function Values({ tag, page }) {
  const [told, tell] = useState(null), [paused, pause] = useState(false), newest = useRef(null);
  useEffect(() => {
    let over = false, timer = 0;
    const look = async () => {
      const after = newest.current === null ? "" : `&after=${newest.current}`;
      try {
        const answer = await fetch(`/topics-api/values?path=${encodeURIComponent(tag.path)}&tag=${encodeURIComponent(tag.tag)}${after}`), said = await answer.json();
        if (over) return;
        if (!answer.ok) tell(before => ({ ...(before ?? { values: [] }), problem: said.problem }));
        else { newest.current = said.end; tell(before => ({ ...said, values: [...(before?.values ?? []), ...said.values].slice(-100) })); }
      } catch { if (!over) tell(before => ({ ...(before ?? { values: [] }), problem: page.t("act.unreachable") })); }
      if (!over) timer = setTimeout(look, 2000);
    };
    if (!paused) look();
    return () => { over = true; clearTimeout(timer); };
  }, [paused]);
  const now = page.now(), values = [...(told?.values ?? [])].reverse(), last = values[0];
  return html`<section aria-label=${page.t("values.title")}><header class="row"><h3>${page.t("values.title")}</h3>
    <button type="button" aria-pressed=${paused} onClick=${() => pause(!paused)}>${page.t(paused ? "values.go_on" : "values.pause")}</button></header>
    ${told?.problem && html`<p class="note" role="alert">${told.problem}</p>`}
    ${last && html`<p class="note">${page.t("values.from", { source: last.source, schema: last.schema, partition: told.partition })}</p>`}
    ${told && !values.length && !told.problem && html`<${Empty}>${page.t("values.none", { from: told.from })}<//>`}
    ${values.length > 0 && html`<div class="scroll values" tabindex="0"><table><thead><tr><th>${page.t("values.at")}</th><th class="n">${page.t("tag.value")}</th><th>${page.t("values.offset")}</th></tr></thead>
      <tbody>${values.map(one => html`<tr key=${`${one.offset}/${one.at}`}><td>${page.format.time(one.at, tag.path, now)}</td><td class="n">${show(one.value, page)}${one.quality ? ` (0x${one.quality.toString(16)})` : ""}</td><td>${one.offset}</td></tr>`)}</tbody></table></div>`}
  </section>`;
}

function Readers({ tag, page }) {
  const [readers, tell] = useState(null), [problem, say] = useState(null);
  useEffect(() => {
    let over = false;
    fetch(`/topics-api/readers?path=${encodeURIComponent(tag.path)}`).then(async answer => { const said = await answer.json(); if (!over) { if (answer.ok) tell(said.readers); else say(said.problem); } }).catch(() => { if (!over) say(page.t("act.unreachable")); });
    return () => { over = true; };
  }, []);
  return html`<section aria-label=${page.t("readers.title")}><h3>${page.t("readers.title")}</h3>
    ${problem && html`<p class="note" role="alert">${problem}</p>`}
    ${readers && (readers.length ? html`<div class="scroll" tabindex="0"><table><thead><tr><th>${page.t("readers.group")}</th><th>${page.t("readers.topic")}</th><th class="n">${page.t("readers.lag")}</th></tr></thead>
      <tbody>${readers.map(one => html`<tr><td>${one.group}</td><td><code>${one.topic}</code></td><td class="n">${page.format.number(one.lag)}</td></tr>`)}</tbody></table></div>` : html`<${Empty}>${page.t("readers.none")}<//>`)}
  </section>`;
}

const Snippets = ({ snippets, page }) => html`<section aria-label=${page.t("snippets.title")}><h3>${page.t("snippets.title")}</h3>
  ${Object.entries(snippets).map(([kind, text]) => html`<details key=${kind}><summary>${page.t(`snippet.${kind}`)}</summary><pre tabindex="0">${text}</pre>
    <button type="button" onClick=${async () => { try { await navigator.clipboard.writeText(text); page.tell(page.t("snippets.copied")); } catch { page.tell(page.t("snippets.not_copied"), true); } }}>${page.t("snippets.copy")}</button></details>`)}</section>`;
