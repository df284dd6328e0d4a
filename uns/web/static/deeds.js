// What people have done goes out once, in order, and is kept in this browser until the page's process has taken it: without a
// link, over a reload, and over a sign-in. Each deed carries the time at which it was said.
const KEY = "uns.deeds", MOST = 200, AGAIN_MS = [1000, 2000, 5000, 10000];

export class Deeds {
  // `page`: t, tell, link, user, token; `ask(words)`: whether it is really so.
  constructor(page, token, ask) {
    this.page = page;
    this.token = token;
    this.ask = ask;
    this.waiters = {};
    this.tries = 0;
    addEventListener("online", () => this.flush());
    addEventListener("storage", event => { if (event.key === KEY) this.page.link?.changed(); });
  }

  read() { try { return JSON.parse(localStorage.getItem(KEY) ?? "[]"); } catch { return this.kept ?? []; } }
  write(deeds) {
    this.kept = deeds;
    try { localStorage.setItem(KEY, JSON.stringify(deeds)); } catch { /* a browser that keeps nothing: they last as long as this page */ }
    this.page.link?.changed();
  }

  mine() { return this.read().filter(deed => deed.said.user === (this.page.user ?? undefined)); }

  // How many deeds wait for a link.
  waiting() { return this.read().length; }

  // Has something done; resolves to true when it was, and to false when it was refused. Without a link it waits.
  async do(kind, said) {
    const now = this.page.link.now();
    const deed = { kind, said: { path: this.page.place, id: crypto.randomUUID?.() ?? random(), ...(now ? { said_at: Math.round(now) } : {}), ...said, ...(this.page.user ? { user: this.page.user } : {}) } };
    const deeds = this.read();
    if (deeds.length >= MOST) { this.page.tell(this.page.t("act.full"), true); return false; }
    this.write([...deeds, deed]);
    const done = new Promise(resolve => { this.waiters[deed.said.id] = resolve; });
    this.flush();
    return done;
  }

  // Takes a deed that was done back.
  undo(deed) { return this.do("undo", { path: deed.said.path, of: { ...deed.said, kind: deed.kind }, by: deed.said.by }); }

  flush() {
    if (this.busy) return this.busy;
    const run = () => this.all();
    this.busy = (navigator.locks ? navigator.locks.request(KEY, run) : run()).finally(() => { this.busy = null; });
    return this.busy;
  }

  async all() {
    for (let deed; (deed = this.mine()[0]);) {
      const left = await this.one(deed);
      if (left) { this.later(); return; }
      this.write(this.read().filter(other => other.said.id !== deed.said.id));
      this.tries = 0;
    }
  }

  later() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.flush(), AGAIN_MS[Math.min(this.tries++, AGAIN_MS.length - 1)]);
    if (this.tries === 1) this.page.tell(this.page.t("act.waiting", { count: this.waiting() }), true);
  }

  // Whether a deed has to wait.
  async one(deed) {
    let answer, told;
    try {
      answer = await fetch(`/act/${deed.kind}`, { method: "POST", headers: { "content-type": "application/json", "x-uns-token": this.token }, body: JSON.stringify(deed.said) });
      told = await answer.text();
    } catch { return true; }
    try { told = JSON.parse(told); } catch { told = { problem: told }; }
    if (answer.status === 401) { this.page.sign_in(); return true; }
    if (answer.status >= 500) return true;
    if (answer.status === 409 && told.confirm && this.ask(told.problem)) { deed.said.confirmed = true; return this.one(deed); }
    const done = answer.ok;
    this.page.tell(done ? this.page.t(deed.kind === "undo" ? "act.undone" : "act.done") : told.problem, !done, done && told.undo ? () => this.undo(deed) : null);
    this.waiters[deed.said.id]?.(done);
    delete this.waiters[deed.said.id];
    return false;
  }
}

// Where the page is not of https nor of this machine, browsers have no randomUUID.
const random = () => [...crypto.getRandomValues(new Uint8Array(16))].map(byte => byte.toString(16).padStart(2, "0")).join("");
