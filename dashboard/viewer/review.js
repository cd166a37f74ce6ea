// Review: the sheet, the place that is shown large, the left column, and the keys. Cursor, chosen
// place and focus are one thing; a verdict shows at once and is sent when the server takes it.

const AFTER_A_KEY = 80; // ms until the map shows what a key did
const EACH = 1200; // ms between two questions for what others have said

const BODY_OF_REVIEW = `
<header class="head">
  <b class="scene"></b>
  <div class="chips" role="group" aria-label="Which places are shown"></div>
  <button class="saving" hidden></button>
  <button class="sidebar_button">Kinds</button><button class="map_button">Map</button>
  <button class="who"></button><button class="help" aria-label="Keys">?</button>
</header>
<aside class="left"></aside>
<section class="middle">
  <div class="sheet"></div><p class="nothing" hidden></p>
  <footer><output class="said" aria-live="polite"></output><span class="hints" aria-hidden="true"></span></footer>
</section>
<section class="close" aria-label="The chosen place"></section>
<dialog class="name"><form method="dialog"><p>Who reviews? The name is kept with each verdict.</p>
  <input name="who" maxlength="80" required aria-label="Your name" autocomplete="name">
  <menu><button value="ok" class="first">Keep</button><button value="" formnovalidate>Cancel</button></menu></form></dialog>
<dialog class="elsewhere"><h2></h2><p aria-live="polite"></p><div class="similar"></div><form method="dialog"><button>Close</button></form></dialog>
<dialog class="keys"><h2>Keys</h2><dl></dl><form method="dialog"><button>Close</button></form></dialog>`;

class Review extends Keyed {
  constructor(root) {
    super();
    this.box = document.createElement("div");
    this.box.className = "review";
    this.box.innerHTML = BODY_OF_REVIEW;
    root.appendChild(this.box);
    this.part = (selector) => this.box.querySelector(selector);
    this.decisions = new Decisions();
    this.queue = new Queue((news) => this.told(news));
    this.queue.revision = () => this.decisions.revision;
    this.selected = new Set();
    this.filter = "";
    this.view = "all";
    this.sheet = new ContactSheet(this.part(".sheet"), {
      cursor: () => this.moved(), select: (indices, on) => this.select(indices, on),
    });
    this.close = new CloseUp(this.part(".close"), {
      judge: (verdict) => { this.judge(verdict); this.sheet.focus(); },
      write: (index, part, words) => this.write(index, part, words),
      leave: () => this.sheet.focus(),
      step: (by) => this.sheet.go(this.sheet.at + by),
    });
    this.sidebar = new Sidebar(this.part(".left"), {
      view: (id) => this.turn(id), drawer: () => this.drawer(),
    });
    this.listen();
  }

  listen() {
    document.addEventListener("keydown", (this.keys = (event) => this.key(event)));
    addEventListener("resize", () => this.fit());
    addEventListener("storage", () => this.told(null));
    addEventListener("online", () => this.queue.retry());
    this.part(".chips").addEventListener("click", (event) => {
      const chip = event.target.closest("button");
      if (chip) { this.filter = chip.dataset.filter; this.arrange(); this.sheet.focus(); }
    });
    this.part(".saving").addEventListener("click", () => { this.queue.retry(); this.sheet.focus(); });
    this.part(".help").addEventListener("click", () => this.help());
    this.part(".who").addEventListener("click", () => this.ask_name());
    this.part(".map_button").addEventListener("click", () => this.larger());
    this.part(".sidebar_button").addEventListener("click", () => this.toggle("sidebar"));
    this.part("dialog.name").addEventListener("close", () => this.named());
    this.part("dialog.elsewhere").addEventListener("close", () => this.sheet.focus());
    this.part("dialog.keys dl").append(...KEYS.flatMap(([keys, does]) => {
      const [term, words] = [document.createElement("dt"), document.createElement("dd")];
      term.textContent = keys;
      words.textContent = does;
      return [term, words];
    }));
  }

  // Streamlit has drawn the page anew: another scan, threshold, filter or stretch, or nothing new.
  update(data, tell) {
    const other = !this.data || this.data.scan !== data.scan;
    const chosen = other ? null : this.spot(this.sheet.cursor);
    const selected = [...this.selected].map((index) => this.spot(index));
    this.data = data;
    this.tell = tell;
    if (other) this.begin();
    this.decisions.listed(data.x, data.y);
    this.decisions.pending(this.waiting());
    const known = (spot) => (spot ? this.decisions.index.get(spot.join(",")) : undefined);
    this.selected = new Set(selected.map(known).filter((index) => index !== undefined));
    this.part(".scene").textContent = data.name;
    this.part(".scene").title = data.about;
    this.fit();
    const [wish, place] = data.go;
    const asked = place && wish !== this.wish ? place : null;
    this.wish = wish;
    const named = known(asked || (other ? this.addressed() : null));
    if (named !== undefined && !this.in_view().includes(named)) this.view = "all";
    this.arrange(named ?? known(chosen));
    if (other) this.sheet.focus();
  }

  // A scan is opened: nothing of another one is left.
  begin() {
    this.decisions = new Decisions();
    this.selected.clear();
    this.view = this.data.first.length ? "first" : "all";
    this.likeness = null;
    const asked = new URLSearchParams(location.search);
    this.filter = asked.get("verdict") || "";
    try { this.done = JSON.parse(sessionStorage.getItem(`needle.done/${this.data.scan}`)) || []; } catch (error) {
      this.done = [];
    }
    this.queue.open(this.data.scan, this.data.verdicts);
    clearTimeout(this.timer);
    this.poll();
  }

  // The place that the address names, or that this window showed last.
  addressed() {
    const asked = new URLSearchParams(location.search).get("find");
    if (asked) return asked.split(",").map(Number);
    try { return JSON.parse(sessionStorage.getItem(`needle.cursor/${this.data.scan}`)); } catch (error) { return null; }
  }

  spot(index) { return index === null || index === undefined ? null : [this.data.x[index], this.data.y[index]]; }

  // As high as the window lets it be, so that nothing but the sheet scrolls.
  fit() {
    const top = this.box.getBoundingClientRect().top + scrollY;
    this.box.style.setProperty("--high", `${Math.max(420, innerHeight - top - 8)}px`);
  }

  // Which places the sheet shows, and in which order; a verdict alone changes neither.
  arrange(cursor = this.sheet.cursor) {
    const all = this.in_view();
    const order = all.filter((index) => this.passes(index));
    this.sheet.show(order, (index) => this.card(index), cursor);
    const nothing = this.part(".nothing");
    nothing.hidden = order.length > 0;
    nothing.textContent = all.length ? "No place passes." : this.data.nothing;
    this.moved();
    this.refresh();
  }

  // The places of what is shown of the left column, in its order.
  in_view() {
    const { data } = this, kind = this.kind(), every = data.x.map((_, index) => index);
    if (kind) return kind.members;
    if (this.view === "first" && data.first.length) return data.first;
    if (this.view !== "like" || !this.likeness) { this.view = "all"; return every; }
    const alike = (index) => this.likeness.get(`${data.row[index]},${data.col[index]}`) ?? -1;
    return every.sort((a, b) => alike(b) - alike(a));
  }

  // The kind of places that is shown, if one is.
  kind() { return this.view.startsWith("kind") ? this.data.kinds[Number(this.view.slice(4))] : undefined; }

  passes(index) {
    if (!this.filter) return true;
    const { verdict, disputed } = this.decisions.decision(index);
    if (this.filter === "disputed") return disputed;
    return this.filter === "open" ? !verdict : verdict === this.filter;
  }

  card(index) {
    const { data } = this, { verdict, disputed, failed, name } = this.decisions.decision(index);
    const rank = data.rank[index], sigma = data.sigma[index].toFixed(1);
    const place = `${data.thumb}/${Math.floor(data.x[index])}/${Math.floor(data.y[index])}`;
    const words = [verdict || "open", disputed && "disputed", name, failed && "not saved"].filter(Boolean);
    return {
      verdict, disputed, failed, rank, name: name || data.may[index], selected: this.selected.has(index),
      says: `${sigma} σ`, label: `Place ${rank}, ${sigma} sigma, ${words.join(", ")}`,
      picture: `${data.tiles}/place/${place}?stretch=${data.stretch}`,
    };
  }

  // The cursor is at another place: all that shows one shows it.
  moved() {
    const index = this.sheet.cursor, { data } = this;
    this.close.show(data, this.place(index));
    if (index !== null) {
      this.close.expect(data, this.place(this.sheet.order[this.sheet.at + 1] ?? null));
      this.decided();
      this.remember(index);
      if (this.box.ownerDocument.documentElement.dataset.needle === "why") this.why(300);
    }
    this.marks_soon();
  }

  place(index) {
    if (index === null || index === undefined) return null;
    const { data } = this, of = data.x.length.toLocaleString("en-US");
    const position = `x ${Math.round(data.x[index])}, y ${Math.round(data.y[index])} px`;
    return {
      index, x: data.x[index], y: data.y[index], row: data.row[index], col: data.col[index],
      rank: data.rank[index], rank_words: `Rank ${data.rank[index]} of ${of}${this.alike(index)}`,
      lines: [...(data.may[index] ? [`may be ${data.may[index]}`] : []), position],
    };
  }

  // How many of the places look like this one, in words; nothing where nothing describes them.
  alike(index) {
    const kind = this.data.kinds.find(({ members }) => members.includes(index));
    if (kind) return `; one of ${kind.members.length} that look alike`;
    return this.data.kinds.length ? "; few here look like it" : "";
  }

  // Keeps the place in the address, so that it can be sent to a colleague.
  remember(index) {
    const url = new URL(location), spot = this.spot(index);
    url.searchParams.set("find", spot.join(","));
    if (this.filter) url.searchParams.set("verdict", this.filter);
    else url.searchParams.delete("verdict");
    if (url.href !== location.href) history.replaceState(history.state, "", url);
    try { sessionStorage.setItem(`needle.cursor/${this.data.scan}`, JSON.stringify(spot)); } catch (error) { /* no matter */ }
  }

  // The map may follow a key by a moment: thousands of marks take longer than a verdict should.
  marks_soon() {
    clearTimeout(this.marking);
    this.marking = setTimeout(() => { if (this.box.isConnected) this.marks(); }, AFTER_A_KEY);
  }

  marks() {
    clearTimeout(this.marking);
    const { data } = this, chosen = this.sheet.cursor;
    const verdict = data.x.map((_, index) => (this.decisions.decision(index).verdict || "-")[0]).join("");
    const still = !this.box.classList.contains("large_map"); // the small one shows all of the scene
    this.sidebar.map.update({ ...data, verdict, chosen, still }, ([x, y]) => {
      const index = this.decisions.index.get(`${x},${y}`);
      if (!this.sheet.to(index)) { this.filter = ""; this.view = "all"; this.arrange(index); this.sheet.focus(); }
    });
  }

  decided() {
    const index = this.sheet.cursor;
    if (index !== null) this.close.decided(this.decisions.decision(index), this.decisions.own(index, this.name));
  }

  // Draws what is decided: of these places, or of all.
  refresh(indices) {
    this.sheet.refresh(indices);
    this.decided();
    if (indices) this.marks_soon();
    else this.marks();
    this.counts();
    this.saving();
  }

  counts() {
    const counts = { "": this.data.x.length, open: 0, hardware: 0, natural: 0, artefact: 0, unsure: 0, disputed: 0 };
    for (let index = 0; index < this.data.x.length; index += 1) {
      const { verdict, disputed } = this.decisions.decision(index);
      counts[verdict || "open"] += 1;
      if (disputed) counts.disputed += 1;
    }
    const box = this.part(".chips");
    for (const [filter, count] of Object.entries(counts)) {
      let chip = box.querySelector(`[data-filter="${filter}"]`);
      if (!chip) {
        chip = document.createElement("button");
        chip.dataset.filter = filter;
        box.appendChild(chip);
      }
      chip.textContent = `${filter ? cap(filter) : "All"} ${count.toLocaleString("en-US")}`;
      chip.hidden = !count && !["", "open", this.filter].includes(filter);
      chip.setAttribute("aria-pressed", String(filter === this.filter));
    }
    this.part(".who").textContent = this.name || "Your name";
    const kind = this.kind(), open = kind && kind.members.filter((index) => !this.decisions.decision(index).verdict);
    this.part(".hints").textContent = open ? `strongest first   Shift+N rejects all ${open.length}   K next kind   U undo`
      : "S like this   E elsewhere   Space choose   Shift+N reject chosen   X reject all in sight   U undo   ? keys";
    const rows = this.views(counts);
    this.sidebar.show(rows, this.view, this.data.threshold, this.stop());
  }

  // How many of the objects that such a scan finds may stand lower than all that was judged, in words.
  stop() {
    let natural = 0, index = 0;
    for (; index < this.data.x.length; index += 1) {
      const { verdict } = this.decisions.decision(index);
      if (!verdict) break;
      natural = verdict === "hardware" ? 0 : natural + 1;
    }
    const known = this.data.later.filter(([number]) => number <= natural).pop();
    if (!known) return "";
    return `The last ${natural} from the top are no hardware. Of pieces planted as a test ${known[1]} in 100 stood below ${known[0]} such places.`;
  }

  views(counts) {
    const { data } = this, total = counts[""];
    const judged = (indices) => indices.filter((index) => this.decisions.decision(index).verdict).length;
    const place = (index) => `${data.tiles}/place/${data.thumb}/${Math.floor(data.x[index])}/${Math.floor(data.y[index])}?stretch=${data.stretch}`;
    const rows = [{ id: "all", name: "All, strongest first", count: total, judged: total - counts.open }];
    if (data.first.length) {
      rows.unshift({ id: "first", name: "Look at these first", count: data.first.length, judged: judged(data.first) });
    }
    if (this.likeness) rows.push({ id: "like", name: `By likeness to ${this.likeness.rank}`, count: total, judged: total - counts.open });
    data.kinds.forEach(({ members, best }, i) => rows.push({
      id: `kind${i}`, name: `Like place ${data.rank[best]}`, count: members.length, judged: judged(members), picture: place(best),
    }));
    return rows;
  }

  saving() {
    const { waiting, failed, why } = this.queue.state(), button = this.part(".saving");
    button.hidden = !waiting;
    button.classList.toggle("failed", failed > 0);
    button.textContent = failed ? `${many(failed, "action")} not saved: ${why}. Retry` : `Saving ${waiting}`;
  }

  // The server has answered, or another window of this browser has filed something.
  told(news) {
    if (!this.data) return;
    const changed = this.decisions.learn(news);
    this.decisions.pending(this.waiting());
    this.refresh(changed ? undefined : null);
  }

  waiting() { return this.queue.items().filter((item) => item.scan === this.data.scan); }

  async poll() {
    const { scan, verdicts } = this.data;
    if (!this.box.isConnected && this.was_there) { this.leave(); return; }
    this.was_there = this.box.isConnected;
    try {
      const answer = await fetch(`${verdicts}/${scan}?since=${this.decisions.revision}`);
      if (answer.ok && scan === this.data.scan && this.decisions.learn(await answer.json())) this.refresh();
    } catch (error) { /* the next question may be answered */ }
    if (scan === this.data.scan) this.timer = setTimeout(() => this.poll(), EACH);
  }

  leave() {
    document.removeEventListener("keydown", this.keys);
    delete document.documentElement.dataset.needle;
  }

}

export default function ({ data, parentElement, setTriggerValue }) {
  parentElement.review ??= new Review(parentElement);
  parentElement.review.update(data, setTriggerValue);
}
