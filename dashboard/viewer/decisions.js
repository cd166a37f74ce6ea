// Decisions on the places of a scan: those the server knows, every reviewer's own, and over them
// those that are still on their way there.

const SAME_PLACE = 12; // px: another model's place within it is the same, as on the server
const UNSURE = "unsure";

class Decisions {
  constructor() { this.points = new Map(); this.revision = 0; this.cache = new Map(); this.listed([], []); }

  // The places that are listed now.
  listed(xs, ys) {
    this.xs = xs;
    this.ys = ys;
    this.index = new Map(xs.map((x, i) => [`${x},${ys[i]}`, i]));
    this.gather();
  }

  // What the server says is new; true where anything is.
  learn(news) {
    if (!news || (news.revision <= this.revision && !news.points.length)) return false;
    this.revision = Math.max(this.revision, news.revision);
    for (const one of news.points) this.points.set(`${one.x},${one.y}`, one);
    this.gather();
    return news.points.length > 0;
  }

  // Which listed place each point with a verdict is: itself, else the nearest within reach.
  gather() {
    this.about = new Map();
    for (const [key, one] of this.points) {
      const index = this.index.get(key) ?? this.nearest(one.x, one.y);
      if (index !== undefined) this.about.set(index, [...(this.about.get(index) || []), one]);
    }
    this.cache.clear();
  }

  nearest(x, y) {
    let best, least = SAME_PLACE ** 2;
    for (let i = 0; i < this.xs.length; i += 1) {
      const far = (this.xs[i] - x) ** 2 + (this.ys[i] - y) ** 2;
      if (far <= least) { best = i; least = far; }
    }
    return best;
  }

  // What waits to be filed, in its order; it counts as if it were.
  pending(items) {
    this.waiting = new Map();
    for (const item of items) {
      const changes = item.back || item.places.map(([x, y]) => [x, y, item]);
      for (const [x, y, change] of changes) {
        const index = this.index.get(`${x},${y}`);
        if (index === undefined) continue;
        if (!this.waiting.has(index)) this.waiting.set(index, []);
        this.waiting.get(index).push({ ...change, reviewer: item.reviewer, failed: Boolean(item.why) });
      }
    }
    this.cache.clear();
  }

  // All that holds of a place: { verdict, opinions, disputed, note, name, waits, failed }.
  decision(index) {
    if (!this.cache.has(index)) this.cache.set(index, this.worked_out(index));
    return this.cache.get(index);
  }

  worked_out(index) {
    const own = new Map(); // by reviewer; a Map keeps the order of what is put in
    let note = "", name = "";
    const filed = (this.about.get(index) || []).slice().sort((a, b) => a.action - b.action);
    const said = filed.flatMap((one) => one.opinions).sort((a, b) => a[3] - b[3]);
    for (const one of filed) { note = one.note || note; name = one.name || name; }
    for (const [reviewer, verdict, made] of said) { own.delete(reviewer); own.set(reviewer, { reviewer, verdict, made }); }
    const more = (this.waiting && this.waiting.get(index)) || [];
    for (const { reviewer, verdict, note: words, name: called } of more) {
      if (verdict !== undefined) own.delete(reviewer);
      if (verdict) own.set(reviewer, { reviewer, verdict, made: "" });
      note = words ?? note;
      name = called ?? name;
    }
    const opinions = [...own.values()], kinds = new Set(opinions.map((one) => one.verdict));
    kinds.delete(UNSURE);
    return {
      verdict: opinions.length ? opinions[opinions.length - 1].verdict : "",
      opinions, note, name, disputed: kinds.size > 1,
      waits: more.length > 0, failed: more.some((one) => one.failed),
    };
  }

  // One reviewer's own verdict on a place.
  own(index, reviewer) {
    const found = this.decision(index).opinions.find((one) => one.reviewer === reviewer);
    return found ? found.verdict : "";
  }
}
