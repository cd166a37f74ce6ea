// Verdicts on their way to the server: kept in this browser, one by one, until it has them. Each
// carries an id under which it is filed once, however often it is sent.

const QUEUE = "needle.queue/";
const LEFT_BEHIND = 15000; // ms after which another tab sends what one did not
const SENT_AT_ONCE = 200; // actions in one request
const LATEST = 30000; // ms until an answer, after which a request has failed
const PAUSES = [500, 1000, 2000, 5000, 10000]; // ms from a failure to the next try
const ALIVE = 60000; // bytes that a browser still sends for a page that is closed

// The storage of this browser; memory alone where it has none.
const store = (() => {
  try {
    localStorage.setItem("needle.try", "1");
    localStorage.removeItem("needle.try");
    return localStorage;
  } catch (error) {
    const kept = new Map();
    return {
      getItem: (key) => kept.get(key) ?? null,
      setItem: (key, value) => kept.set(key, value),
      removeItem: (key) => kept.delete(key),
      key: (index) => [...kept.keys()][index],
      get length() { return kept.size; },
    };
  }
})();

function fresh_id() {
  const parts = crypto.getRandomValues(new Uint32Array(4));
  return [...parts].map((part) => part.toString(16).padStart(8, "0")).join("");
}

class Queue {
  // told(news): called when the server has answered, with what is new of the scan that is open, and
  // whenever the state of the queue is another.
  constructor(told) {
    this.told = told;
    this.failures = 0;
    this.last = 0;
    try { this.session = sessionStorage.getItem("needle.session") || fresh_id(); } catch (error) {
      this.session = fresh_id();
    }
    try { sessionStorage.setItem("needle.session", this.session); } catch (error) { /* no matter */ }
  }

  // The scan that is open, the root of the addresses of all scans, the revision that is known.
  open(scan, root) { this.scan = scan; this.root = root; this.flush(); }

  // All that waits, in the order of a session's actions.
  items() {
    const keys = [];
    for (let i = 0; i < store.length; i += 1) {
      const key = store.key(i);
      if (key && key.startsWith(QUEUE)) keys.push(key);
    }
    return keys.sort().map((key) => {
      const [, scan, session] = key.split("/");
      try { return { ...JSON.parse(store.getItem(key)), key, scan, session }; } catch (error) {
        store.removeItem(key);
        return null;
      }
    }).filter(Boolean);
  }

  add(action) {
    this.last = Math.max(this.last + 1, 1000 * Date.now());
    const key = `${QUEUE}${this.scan}/${this.session}/${String(this.last).padStart(17, "0")}`;
    try { store.setItem(key, JSON.stringify({ id: fresh_id(), at: Date.now(), ...action })); } catch (error) {
      this.full = true; // the browser keeps no more: what follows is said to be lost
    }
    this.flush();
    return { ...JSON.parse(store.getItem(key)), key };
  }

  // What is sent next: the first actions of one session about one scan.
  batch() {
    const now = Date.now();
    const ready = this.items().filter((one) => !one.why
      && (one.session === this.session || now - one.at > LEFT_BEHIND));
    const first = ready.find((one) => one.session === this.session) || ready[0];
    return ready.filter((one) => one.scan === first.scan && one.session === first.session)
      .slice(0, SENT_AT_ONCE);
  }

  async flush() {
    if (this.busy || !this.root) return;
    clearTimeout(this.timer);
    const items = this.batch();
    if (!items.length) { this.wait(LEFT_BEHIND / 5); return; }
    this.busy = true;
    let news = null;
    try {
      news = await this.send(items);
      this.failures = 0;
      this.why = "";
    } catch (error) {
      this.failures += 1;
      this.why = error.name === "TypeError" ? "the server does not answer" : error.message;
    }
    this.busy = false;
    this.told(news);
    const pause = this.failures ? PAUSES[Math.min(this.failures, PAUSES.length) - 1] : 0;
    this.wait(pause);
  }

  // Tries again after so many ms, if anything waits: also what another tab may have left behind.
  wait(pause) {
    if (this.items().some((one) => !one.why)) this.timer = setTimeout(() => this.flush(), pause);
  }

  async send(items) {
    const { scan, session } = items[0];
    const actions = items.map(({ id, reviewer, places, verdict, note, name, undoes }) => (
      { id, reviewer, points: places, verdict, note, name, undoes }));
    const mine = scan === this.scan, body = JSON.stringify({ session, actions, since: mine ? this.revision() : 0 });
    const answer = await fetch(`${this.root}/${scan}`, {
      method: "POST", body, headers: { "Content-Type": "application/json" },
      keepalive: body.length < ALIVE, signal: AbortSignal.timeout(LATEST),
    });
    const said = await answer.json().catch(() => ({}));
    if (!answer.ok) throw new Error(said.error || `the server says ${answer.status}`);
    const refused = new Map(said.refused.map(({ id, why }) => [id, why])), done = new Set(said.done);
    for (const { key, scan: s, session: t, ...item } of items) {
      if (done.has(item.id)) store.removeItem(key);
      else if (refused.has(item.id)) store.setItem(key, JSON.stringify({ ...item, why: refused.get(item.id) }));
    }
    return mine ? said : null;
  }

  // One more try of all that has failed.
  retry() {
    for (const { key, scan, session, why, ...item } of this.items()) {
      if (why) store.setItem(key, JSON.stringify(item));
    }
    this.failures = 0;
    this.flush();
  }

  // How many wait, and how many of them have failed and why.
  state() {
    const items = this.items(), refused = items.filter((one) => one.why);
    return {
      waiting: items.length,
      failed: this.failures ? items.length : refused.length,
      why: this.full ? "this browser keeps nothing more" : (refused[0]?.why || this.why || ""),
    };
  }
}
