// One WebSocket to the page's process: what is looked at goes up, what is new comes down. It comes back by itself.
const SILENT_MS = 3000;   // A sign of life comes each second; after so long without one, nothing shown is live.
const AGAIN_MS = [300, 1000, 2000, 3000];

export class Link {
  constructor(changed) {
    this.changed = changed;
    this.views = {};       // slot → the newest view, put together from its parts
    this.asks = {};        // slot → what is looked at
    this.beat = null;      // the newest sign of life
    this.heard = null;     // when it came, by this browser's clock (ms)
    this.problem = null;
    this.tries = 0;
    this.opened = performance.now();
    this.open();
    addEventListener("online", () => this.again(0));
    document.addEventListener("visibilitychange", () => { if (!document.hidden && this.silent() !== null) this.again(0); });
  }

  open() {
    clearTimeout(this.timer);
    this.timer = null;
    const socket = this.socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/live`);
    socket.onopen = () => { this.tries = 0; for (const ask of Object.values(this.asks)) socket.send(JSON.stringify(ask)); };
    socket.onmessage = event => { if (socket === this.socket) this.take(event.data); };
    socket.onclose = event => { if (event.code === 4401) this.ended?.(); else if (socket === this.socket) this.again(AGAIN_MS[Math.min(this.tries++, AGAIN_MS.length - 1)]); };
  }

  again(wait_ms) {
    if (this.timer) clearTimeout(this.timer);
    this.timer = setTimeout(() => { const old = this.socket; this.open(); old.close(); }, wait_ms);
  }

  // Says what a slot shows from now on; the view that it had is dropped, unless it is the same.
  look(slot, screen, place, options) {
    const ask = { slot, screen, place, options };
    if (JSON.stringify(this.asks[slot]) === JSON.stringify(ask)) return;
    const same = this.asks[slot] && this.asks[slot].screen === screen && this.asks[slot].place === place;
    if (!same) delete this.views[slot];
    this.asks[slot] = ask;
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(ask));
  }

  take(text) {
    const cut = text.indexOf("\n"), slot = text.slice(0, cut), said = JSON.parse(text.slice(cut + 1));
    if (slot === "beat") { this.beat = said; this.heard = performance.now(); this.problem = null; }
    else if (slot === "") this.problem = said.problem;
    else if (this.asks[slot]) {
      const view = said.all ? {} : { ...this.views[slot] };
      Object.assign(view, said.parts);
      for (const part of said.gone) delete view[part];
      this.views[slot] = view;
    }
    this.changed(slot);
  }

  // Milliseconds without a sign of life, where that is too long; null: all is well.
  silent() {
    const since = performance.now() - (this.heard ?? this.opened);
    return since > SILENT_MS ? since : null;
  }

  // Plant time (µs) as far as this browser can tell: by the last sign of life, going on at the rate of the plant's clock.
  now() {
    return this.beat ? this.beat.clock + (performance.now() - this.heard) * 1000 * this.beat.rate : null;
  }
}
