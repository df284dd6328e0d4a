// One card a machine: the state carries it, by glyph, word, pattern and colour; what is old says so.
import { html, State } from "/static/kit.js";

export const Machines = ({ machines, promise, page }) => html`<div class="machines">
  ${machines.map(machine => html`<${Machine} key=${machine.path} machine=${machine} promise=${promise} page=${page} />`)}</div>`;

function Machine({ machine, promise, page }) {
  const { format } = page, now = page.now();
  const old = page.stale(machine.at, promise, machine.path), look = old ? "unknown" : machine.look;
  const known = look !== "unknown" && look !== "not_observed";
  return html`<article class="machine ${old ? "old" : ""}" data-path=${machine.path} data-look=${look}>
    <h3><a href=${page.href("machine", machine.path)}>${machine.name}</a></h3>
    <${State} page=${page} look=${look} />
    <p class="since">${machine.at === null ? page.t("machine.never") : !known ? page.t("machine.seen", { at: format.time(machine.seen, machine.path, now) })
      : html`${machine.state} · <b>${machine.since ? format.span(now - machine.since) : "–"}</b>`}</p>
    ${machine.at !== null && html`
      <p class="oee live"><b>${format.percent(machine.oee)}</b> ${page.t("machine.oee")}</p>
      <p class="factors live">A ${format.percent(machine.availability)} · P ${format.percent(machine.performance)} · Q ${format.percent(machine.quality)}</p>
      <p class="counts live">${page.t("machine.counts", { good: format.number(machine.good), scrap: format.number(machine.scrap) })}</p>
      <p class="order">${machine.order ?? page.t("machine.no_order")} · ${machine.product ?? "–"}</p>
      ${old && html`<p class="warning">${page.t("age", { at: format.time(machine.at, machine.path, now), age: format.span(now - machine.at) })}</p>`}
      ${warnings(machine, page).map(words => html`<p class="warning">${words}</p>`)}`}
  </article>`;
}

// What an operator must know beside the numbers: a clock that is off, and how much of the time was seen.
function warnings(machine, page) {
  const said = [], off = machine.clock_off_us;
  if (off !== null) said.push(page.t(off > 0 ? "machine.clock_ahead" : "machine.clock_behind", { by: page.format.span(Math.abs(off)) }));
  if (machine.why_null) said.push(page.t("machine.no_oee", { why: machine.why_null }));
  else if (machine.coverage !== null && machine.coverage < 1) said.push(page.t("machine.coverage", { share: machine.coverage < .01 ? "< 1 %" : page.format.percent(Math.min(.99, Math.floor(machine.coverage * 100) / 100), 0) }));
  return said;
}
