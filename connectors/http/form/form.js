// Counts by hand. A number is recorded once we are told 202, and never before. What was sent keeps its time and its key
// until then, so that it counts once however often it is sent.
"use strict";

const TOKEN = "uns-token", PENDING = "uns-pending", MACHINE = "uns-machine";
const WAIT_MS = 30000, CLOCK_OFF_S = 60, COUNT_MAX = 999999999;
const $ = (id) => document.getElementById(id);
const store = window.sessionStorage; // of this tab alone, and gone with it
let tags = {};
let sending = false;

function say(words, kind) {
  $("said").className = kind || "";
  $("said").textContent = words;
}

async function ask(path, options) {
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), WAIT_MS);
  try {
    const headers = { authorization: "Bearer " + store.getItem(TOKEN), ...(options && options.headers) };
    const answer = await fetch(path, { ...options, headers, signal: stop.signal, cache: "no-store" });
    let said = {};
    try { said = await answer.json(); } catch { /* a proxy's own page, or an answer that was cut off */ }
    return { status: answer.status, said };
  } catch {
    return { status: 0, said: {} };
  } finally {
    clearTimeout(timer);
  }
}

function words(answer) {
  return answer.status ? (answer.said.detail || "the server answered " + answer.status) : "the server cannot be reached";
}

function pending() {
  return JSON.parse(store.getItem(PENDING) || "null");
}

function key() { // randomUUID is there on https alone
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (n) => n.toString(16).padStart(2, "0")).join("");
}

// -- who counts, and what ---------------------------------------------------------------------------------------------

async function begin() {
  const known = store.getItem(TOKEN);
  $("login").hidden = Boolean(known);
  $("counts").hidden = true;
  if (!known) {
    say("Type the token of this place.");
    return $("token").focus();
  }
  say("One moment …");
  const answer = await ask("v1/form");
  if (answer.status === 200) return offer(answer.said);
  if (answer.status === 401) store.removeItem(TOKEN);
  $("login").hidden = false;
  $("token").value = answer.status === 401 ? "" : known;
  say(answer.status === 401 ? "This token is not known. Type it again." : "Not ready: " + words(answer), "bad");
}

function offer(form) {
  tags = form.tags;
  $("login").hidden = true;
  $("counts").hidden = false;
  say("Type what was counted.");
  $("machine").replaceChildren(...form.machines.map((path) => new Option(short(path, form.machines), path)));
  const last = store.getItem(MACHINE);
  if (form.machines.includes(last)) $("machine").value = last;
  $("fields").replaceChildren(...Object.entries(tags).flatMap(([tag, name], n) => field(tag, name, n)));
  const off = Math.round((Date.now() - form.now / 1000) / 1000);
  $("clock").hidden = Math.abs(off) < CLOCK_OFF_S;
  $("clock").textContent = "The clock of this device is " + Math.abs(off) + " s " + (off > 0 ? "ahead" : "behind") + ". Counts get its time: set it.";
  if (!form.machines.length) say("This token may post to none of the machines of this page.", "bad");
  $("send").disabled = !form.machines.length;
  if (pending()) { show(pending()); send(); }
}

function short(path, all) { // the end of it, where that names one alone: a phone is narrow
  const end = (it) => it.split("/").slice(-2).join(" / ");
  return all.filter((other) => end(other) === end(path)).length === 1 ? end(path) : path;
}

function field(tag, name, n) {
  const label = document.createElement("label");
  const input = document.createElement("input");
  label.htmlFor = input.id = "count-" + n;
  label.textContent = name;
  Object.assign(input, { inputMode: "numeric", pattern: "[0-9]*", maxLength: 9, placeholder: "0" });
  input.dataset.tag = tag;
  return [label, input];
}

const inputs = () => [...$("fields").querySelectorAll("input")];

// -- one record -------------------------------------------------------------------------------------------------------

function read() {
  const values = {};
  for (const input of inputs()) {
    const text = input.value.trim();
    if (!text) continue;
    const number = Number(text);
    if (!/^[0-9]+$/.test(text) || number > COUNT_MAX) {
      input.focus();
      say(tags[input.dataset.tag] + ": “" + text + "” is not a whole number from 0 to " + COUNT_MAX + ". Nothing was sent.", "bad");
      return null;
    }
    values[input.dataset.tag] = number;
  }
  if (Object.keys(values).length) return values;
  say("Type a number first. Nothing was sent.", "bad");
  return null;
}

function show(record) { // what is on its way stays on the screen, and cannot be changed
  if (![...$("machine").options].some((option) => option.value === record.path)) $("machine").add(new Option(record.path, record.path));
  $("machine").value = record.path;
  for (const input of inputs()) input.value = record.values[input.dataset.tag] ?? "";
}

function hold(on, mayBeThere) {
  for (const part of [$("machine"), ...inputs()]) part.disabled = on;
  $("send").textContent = on ? (sending ? "Sending …" : "Send again") : "Record";
  $("send").disabled = sending;
  $("discard").hidden = !(on && mayBeThere);
  $("leave").hidden = on;
}

async function send() {
  const record = pending();
  if (!record || sending) return;
  sending = true;
  hold(true, false);
  say("Sending …");
  const answer = await ask("v1/samples/" + record.path, {
    method: "POST",
    headers: { "content-type": "application/json", "idempotency-key": record.key },
    body: JSON.stringify({ at: record.at, values: record.values }),
  });
  sending = false;
  const bad = answer.said.quarantined_count;
  if (answer.status === 202 && bad === 0) {
    done("Recorded: " + told(record), "good");
    for (const input of inputs()) input.value = "";
    inputs()[0].focus();
  } else if (answer.status === 202 && bad) {
    done("Not recorded: " + answer.said.quarantined[0].message, "bad");
  } else if (answer.status >= 400 && answer.status < 500 && ![408, 429].includes(answer.status)) {
    if (answer.status === 401) { hold(true, true); store.removeItem(TOKEN); $("login").hidden = false; }
    if (answer.status === 401) say("Not recorded: " + words(answer) + ". Type the token again; your numbers are kept.", "bad");
    else done("Not recorded: " + words(answer), "bad");
  } else { // it may have been taken: the same again, with the same key and time, counts once
    hold(true, true);
    say("Not confirmed yet: " + words(answer) + ". Your numbers are kept. Send them again; they count once.", "bad");
  }
}

function done(message, kind) {
  store.removeItem(PENDING);
  hold(false, false);
  say(message, kind);
}

function told(record) {
  const counts = Object.entries(record.values).map(([tag, value]) => (tags[tag] || tag) + " " + value).join(", ");
  return counts + " – " + record.path + ", " + new Date(record.at).toLocaleTimeString();
}

$("login").addEventListener("submit", (event) => {
  event.preventDefault();
  store.setItem(TOKEN, $("token").value.trim());
  $("token").value = "";
  begin();
});

$("counts").addEventListener("submit", (event) => {
  event.preventDefault();
  if (sending) return;
  if (!pending()) {
    const values = read();
    if (!values) return;
    store.setItem(MACHINE, $("machine").value);
    store.setItem(PENDING, JSON.stringify({ key: key(), at: new Date().toISOString(), path: $("machine").value, values }));
  }
  send();
});

$("discard").addEventListener("click", () => {
  if (confirm("Give up? It is not known whether these numbers were recorded.")) done("Given up. It is not known whether the numbers were recorded.", "bad");
});

$("leave").addEventListener("click", () => {
  store.removeItem(TOKEN);
  begin();
});

window.addEventListener("online", () => send());
begin();
