// The keys of Review, and what lies over a part of the page when one is pressed.

const VERDICT_KEYS = { h: "hardware", n: "natural", a: "artefact", q: "unsure" };
const FIELD = "input:not([type=range]):not([type=checkbox]):not([type=radio]), textarea, select, [contenteditable=true]";

const KEYS = [
  ["H N A Q", "hardware, natural, artefact, unsure; then the next open place"],
  ["Backspace", "take your own verdict off this place"],
  ["U or Z", "undo, step by step, what you did in this window"],
  ["Arrows, Page, Home, End", "move"], ["O", "the next open place"],
  ["Space", "choose several"], ["Shift + Space", "choose all open ones in sight"],
  ["Shift + H N A Q", "one verdict on all that are chosen"], ["X", "reject all open ones in sight"],
  ["S", "sort by likeness to this place"], ["E", "elsewhere: what looks like it in other scenes"], ["K", "the next kind of places; Shift + N there rejects all of it"],
  ["T", "threshold, rule, filter, grey levels"], ["M", "the map, large or small"],
  ["W", "why this place"], ["Escape", "close, leave, choose none"], ["?", "these keys"],
];

// What a search of other scenes came to.
function words_of(known, found) {
  if (!found) return "The server does not answer; close and press E again.";
  if (!known) return "Nothing is known of how this place looks: its model describes no places.";
  return found.length ? "Most alike first; each opens in a tab of its own."
    : "No other scene here was scanned with this model.";
}

class Keyed extends VerdictActions {
  key(event) {
    if (!this.box.isConnected || event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (this.part("dialog[open]")) return;
    const path = event.composedPath(), target = path[0];
    if (target.matches && target.matches(FIELD)) {
      if (event.key === "Escape") { target.blur(); this.sheet.focus(); }
      return;
    }
    const here = path.includes(this.box) || target === document.body || target === document.documentElement;
    if (this.act_on(event, here)) event.preventDefault();
  }

  // True where a key does something.
  act_on({ key, shiftKey, repeat, target }, here) {
    const letter = key.length === 1 ? key.toLowerCase() : key;
    const everywhere = { t: () => this.drawer(), "?": () => this.help(), Escape: () => this.escape() };
    if (everywhere[letter]) { everywhere[letter](); return true; }
    if (!here) return false;
    if (VERDICT_KEYS[letter]) {
      if (!repeat) { if (shiftKey) this.judge_selected(VERDICT_KEYS[letter]); else this.judge(VERDICT_KEYS[letter]); }
      return true;
    }
    const acts = {
      Backspace: () => this.judge(""), Delete: () => this.judge(""), u: () => this.undo(), z: () => this.undo(),
      o: () => this.next(), m: () => this.larger(), w: () => this.why(), k: () => this.next_kind(), s: () => this.similar(),
      e: () => this.elsewhere(), x: () => this.reject_in_sight(),
    };
    if (acts[letter]) { acts[letter](); return true; }
    if (this.on_button(target)) return false;
    if (key === " ") {
      this.select(shiftKey ? this.sheet.seen().filter((index) => !this.decisions.decision(index).verdict)
        : [this.sheet.cursor], shiftKey);
      return true;
    }
    return this.sheet.walk(key);
  }

  on_button() {
    const focused = this.box.getRootNode().activeElement;
    return focused && focused.tagName === "BUTTON";
  }

  escape() {
    if (document.documentElement.dataset.needle) this.toggle("");
    else if (this.box.classList.contains("large_map")) this.larger();
    else if (this.view === "like") { this.likeness = null; this.turn(this.data.first.length ? "first" : "all"); }
    else if (this.selected.size) { this.selected.clear(); this.sheet.refresh(); this.say("Nothing is chosen"); }
    this.sheet.focus();
  }

  // What lies over a part of the page: the threshold, why, or the left column where it is narrow.
  toggle(what) {
    const { dataset } = document.documentElement;
    if (!what || dataset.needle === what) delete dataset.needle;
    else dataset.needle = what;
    this.part(".drawer").setAttribute("aria-expanded", String(dataset.needle === "threshold"));
    this.box.dataset.over = dataset.needle || "";
  }

  drawer() {
    this.toggle("threshold");
    const slider = document.querySelector(".st-key-drawer [role=slider]");
    if (document.documentElement.dataset.needle && slider) slider.focus();
    else this.sheet.focus();
  }

  why(wait = 0) {
    if (!wait) this.toggle("why");
    clearTimeout(this.asking);
    if (document.documentElement.dataset.needle !== "why") { this.sheet.focus(); return; }
    this.asking = setTimeout(() => this.tell("why", this.spot(this.sheet.cursor)), wait);
  }

  larger() {
    this.box.classList.toggle("large_map");
    if (this.box.classList.contains("large_map")) this.sidebar.map.canvas.focus();
    else this.sheet.focus();
  }

  turn(id) {
    this.view = id;
    this.filter = "";
    this.arrange(null);
    this.sheet.focus();
  }

  // The next kind of which some are open.
  next_kind() {
    const { kinds } = this.data, at = this.kind() ? Number(this.view.slice(4)) : -1;
    const ahead = kinds.map((_, i) => (at + 1 + i) % kinds.length);
    const found = ahead.find((i) => kinds[i].members.some((index) => !this.decisions.decision(index).verdict));
    if (found === undefined) this.say(kinds.length ? "Every kind is judged" : "No places here look alike enough, or the model describes none");
    else this.turn(`kind${found}`);
  }

  // Sorts the sheet by likeness to the place with the cursor.
  async similar() {
    const index = this.sheet.cursor, { data } = this;
    if (index === null) return;
    const answer = await fetch(`${data.places}/${data.row[index]}/${data.col[index]}/like`).catch(() => null);
    const found = answer && answer.ok ? await answer.json() : { row: [] };
    if (!found.row.length) { this.say("Nothing is known of how this place looks: its model describes no places"); return; }
    this.likeness = new Map(found.row.map((row, i) => [`${row},${found.col[i]}`, found.alike[i]]));
    this.likeness.rank = data.rank[index];
    this.turn("like");
    this.say(`Sorted by likeness to place ${data.rank[index]}`);
  }

  // Shows what looks like the place with the cursor in the other scenes of this server.
  async elsewhere() {
    const index = this.sheet.cursor, { data } = this;
    if (index === null) return;
    const dialog = this.part("dialog.elsewhere"), [head, lead, list] = dialog.children, rank = data.rank[index];
    head.textContent = `Like place ${rank}, elsewhere`;
    lead.textContent = "Looking through the other scenes";
    list.replaceChildren();
    dialog.showModal();
    const answer = await fetch(`${data.places}/${data.row[index]}/${data.col[index]}/elsewhere`).catch(() => null);
    const { known, found } = answer && answer.ok ? await answer.json() : { known: true, found: null };
    if (head.textContent !== `Like place ${rank}, elsewhere`) return;
    lead.textContent = words_of(known, found);
    list.replaceChildren(...(found || []).map((one) => this.similar_place(one)));
    list.querySelector("a")?.focus();
  }

  // A link to a place of another scene: its picture, the scene, how alike it is, and the verdict.
  similar_place({ scan, name, x, y, sigma, alike, verdict }) {
    const link = document.createElement("a"), [picture, words] = [document.createElement("img"), document.createElement("span")];
    const threshold = Math.max(0, Math.min(3, Math.floor(100 * sigma) / 100));
    link.href = `review?${new URLSearchParams({ scan, find: `${x},${y}`, sigma: threshold })}`;
    link.target = "_blank"; link.rel = "noopener";
    picture.alt = "";
    picture.src = `${this.data.tiles.replace(/[^/]+$/, scan)}/place/${this.data.thumb}/${Math.floor(x)}/${Math.floor(y)}`;
    words.textContent = [name, `${Math.round(100 * alike)} % alike`, verdict].filter(Boolean).join("\n");
    link.className = verdict;
    link.append(picture, words);
    return link;
  }

  help() { this.part("dialog.keys").showModal(); }
}
