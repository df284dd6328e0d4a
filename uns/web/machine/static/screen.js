// One machine: what it does, all that it says, how its numbers went, what is wrong with it.
import { html, render, Panel, Empty, Choice, useState, useRef } from "/static/kit.js";
import { Timeline } from "/static/draw/timeline.js";
import { Alerts } from "/static/draw/alerts.js";
import { Trend } from "/static/draw/trend.js";
import { Machines } from "/screens/line/machines.js";

export function draw(root, view, page) {
  render(view.machine ? html`<${Machine} view=${view} page=${page} />` : html`<${Empty}>${page.t("empty")}<//>`, root);
}

function Machine({ view, page }) {
  const { machine, timeline, stops, tags, trend, conditions, alerts } = view, place = machine.path;
  const chosen = trend.traces.map(trace => trace.tag), spans = { "10m": "10 min", "1h": "1 h", "8h": "8 h" };
  const toggle = tag => page.choose("trend", (chosen.includes(tag) ? chosen.filter(one => one !== tag) : [...chosen, tag].slice(-8)).join(","));
  return html`<h1 class="heard">${place}</h1>
    <nav class="lines" aria-label=${page.t("beside")}>${machine.beside.map(path => html`<a href=${page.href(page.screen, path)} aria-current=${path === place ? "page" : null}>${path.split("/").pop()}</a>`)}</nav>
    <${Machines} machines=${[machine]} promise=${machine.promise_s} page=${page} />
    <${Panel} title=${page.t("timeline")} id="timeline"><${Timeline} timeline=${timeline} stops=${stops} place=${place} page=${page} names=${false} /><//>
    <${Panel} title=${page.t("trend")} id="trend" note=${page.t("trend.note")}>
      <${Choice} page=${page} option="span" value=${trend.span} words=${spans} label=${page.t("trend.span")} />
      ${trend.known.length ? html`<${Trend} trend=${trend} place=${place} page=${page} />` : html`<${Empty}>${page.t("trend.empty")}<//>`}<//>
    <div class="columns">
      <${Panel} title=${page.t("tags", { count: tags.length })} id="tags"><${Tags} tags=${tags} machine=${machine} known=${trend.known} chosen=${chosen} toggle=${toggle} page=${page} /><//>
      <${Panel} title=${page.t("conditions")} id="conditions">${conditions.length ? html`<ul class="alerts">${conditions.map(one => html`<li><span class="severity ${one.severity}">${page.has(`severity.${one.severity}`) ? page.t(`severity.${one.severity}`) : one.severity}</span><div><p>${one.message}</p>
        <small>${one.name} · ${one.kind} · ${page.t("since", { at: page.format.time(one.since, place, page.now()) })}${one.remaining_s !== null ? ` · ${page.t("remaining", { h: page.format.number(one.remaining_s / 3600, 0) })}` : ""}</small></div></li>`)}</ul>` : html`<${Empty}>${page.t("conditions.none")}<//>`}<//>
    </div>
    <${Panel} title=${page.t("alerts")} id="alerts"><${Alerts} alerts=${alerts} place=${place} page=${page} /><//>`;
}

const SEEN = 400;  // CSS pixels of the list

// Every tag, however many there are: only rows that are seen are drawn. A tag that was searched for is marked and in view.
function Tags({ tags, machine, known, chosen, toggle, page }) {
  const [words, search] = useState(""), [top, scroll] = useState(0), list = useRef(null), gone = useRef(null);
  const wanted = words.toLowerCase().split(/\s+/).filter(Boolean), shown = tags.filter(tag => wanted.every(word => tag.tag.toLowerCase().includes(word)));
  const row = Math.max(parseFloat(getComputedStyle(document.documentElement).getPropertyValue("--touch")) || 32, 32), first = Math.max(Math.floor(top / row) - 3, 0), visible = shown.slice(first, first + Math.ceil(SEEN / row) + 8);
  const marked = page.options.tag, place = marked ? shown.findIndex(tag => tag.tag === marked) : -1;
  if (list.current && place >= 0 && gone.current !== marked) { gone.current = marked; list.current.scrollTop = Math.max(place - 2, 0) * row; list.current.scrollIntoView({ block: "center" }); }
  if (!tags.length) return html`<${Empty}>${page.t("tags.none")}<//>`;
  const now = page.now(), old = page.stale(machine.at, machine.promise_s, machine.path);
  return html`<input type="search" placeholder=${page.t("tags.find")} aria-label=${page.t("tags.find")} value=${words} onInput=${event => search(event.target.value)} />
    <div class="tags" ref=${list} tabindex="0" role="region" aria-label=${page.t("tags", { count: tags.length })} style=${`max-height:${SEEN}px`} onScroll=${event => scroll(event.target.scrollTop)}>
      <ul style=${`height:${shown.length * row}px;position:relative`}>${visible.map((tag, n) => html`<li key=${tag.tag} data-tag=${tag.tag} class="${tag.tag === marked ? "marked" : ""}" style=${`position:absolute;top:${(first + n) * row}px;height:${row}px`}>
        ${known.includes(tag.tag) ? html`<button type="button" aria-pressed=${chosen.includes(tag.tag)} onClick=${() => toggle(tag.tag)} title=${page.t("trend.draw")}>${tag.tag}</button>` : html`<span>${tag.tag}</span>`}
        <b class="live">${tag.value} ${tag.unit ?? ""}</b>
        <small>${tag.quality !== "good" ? html`<span class="warning">${page.t(`quality.${tag.quality}`)}</span> ` : ""}${old ? "? " : ""}${page.format.span(now - tag.at)}</small></li>`)}</ul></div>`;
}
