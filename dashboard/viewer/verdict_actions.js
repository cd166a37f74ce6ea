// A reviewer's actions on places: verdicts, names and notes, undone step by step, and who it is.

const MOST_DONE = 300; // actions of this session that can be taken back
const NAME = "needle.reviewer";
const cap = (word) => word.charAt(0).toUpperCase() + word.slice(1);
const many = (number, noun) => `${number.toLocaleString("en-US")} ${noun}${number === 1 ? "" : "s"}`;

class VerdictActions {
  get name() { return store.getItem(NAME) || ""; }

  // One verdict on the place with the cursor, or on several; then on to the next open one.
  judge(verdict, indices = [this.sheet.cursor], words = "") {
    if (indices[0] === null || !indices.length) return;
    if (!this.name) { this.ask_name(() => this.judge(verdict, indices, words)); return; }
    const changed = indices.filter((index) => this.decisions.own(index, this.name) !== verdict);
    if (changed.length) {
      const what = changed.length === 1 ? `place ${this.data.rank[changed[0]]}` : many(changed.length, "place");
      this.act({ verdict }, changed, `${words || what}: ${verdict || "your verdict taken off"}`);
    }
    if (verdict) this.next();
  }

  write(index, part, words) {
    if (!this.name) { this.ask_name(() => this.write(index, part, words)); return; }
    if (this.decisions.decision(index)[part] !== words) {
      this.act({ [part]: words }, [index], `place ${this.data.rank[index]}: ${part}`);
    }
  }

  // Files one change of places, which can be taken back in one step.
  act(change, indices, words) {
    const [part] = Object.keys(change), places = indices.map((index) => this.spot(index));
    const before = indices.map((index) => (
      part === "verdict" ? this.decisions.own(index, this.name) : this.decisions.decision(index)[part]));
    const { id } = this.queue.add({ reviewer: this.name, places, ...change });
    this.done.push({ id, part, places, before, words });
    this.done = this.done.slice(-MOST_DONE);
    this.acted(indices, cap(words));
  }

  // Takes back what this window did last, and says what.
  undo() {
    const last = this.done.pop();
    if (!last) { this.say("Nothing that you did in this window is left to undo"); return; }
    const { id, part, places, before, words } = last;
    const back = places.map(([x, y], i) => [x, y, { [part]: before[i] }]);
    this.queue.add({ reviewer: this.name, undoes: id, back, places: [] });
    const indices = places.map((spot) => this.decisions.index.get(spot.join(","))).filter((one) => one !== undefined);
    this.acted(indices, `Undone: ${words}`);
    if (indices.length) this.sheet.to(indices[0]);
  }

  acted(indices, words) {
    try { sessionStorage.setItem(`needle.done/${this.data.scan}`, JSON.stringify(this.done)); } catch (error) { /* no matter */ }
    this.decisions.pending(this.waiting());
    this.refresh(indices);
    this.say(words);
  }

  say(words) { this.part(".said").textContent = words; }

  // The next place without a verdict, from the first on at the end.
  next() {
    const { order, at } = this.sheet;
    const ahead = [...order.keys()].map((i) => (at + 1 + i) % order.length);
    const found = ahead.find((i) => !this.decisions.decision(order[i]).verdict);
    if (found !== undefined) this.sheet.go(found);
  }

  select(indices, on) {
    const all = on || indices.some((index) => !this.selected.has(index));
    for (const index of indices) { if (all) this.selected.add(index); else this.selected.delete(index); }
    this.sheet.refresh(indices);
    this.say(`${this.selected.size} chosen`);
  }

  judge_selected(verdict) {
    const kind = this.kind();
    if (!this.selected.size && !kind) { this.say("Nothing is chosen; Space chooses, Shift+Space all in sight"); return; }
    const indices = this.selected.size ? this.sheet.order.filter((index) => this.selected.has(index))
      : kind.members.filter((index) => !this.decisions.decision(index).verdict);
    this.judge_many(verdict, indices, "All of this kind are judged");
  }

  // Calls every open place in sight natural: for those who have seen that nothing else is there.
  reject_in_sight() {
    const open = this.sheet.seen().filter((index) => !this.decisions.decision(index).verdict);
    this.judge_many("natural", open, "All in sight are judged");
    this.sheet.lead();
  }

  judge_many(verdict, indices, nothing) {
    if (!indices.length) { this.say(nothing); return; }
    this.selected.clear();
    this.sheet.to(indices[indices.length - 1], false);
    this.judge(verdict, indices);
    this.sheet.refresh();
    this.sheet.focus();
  }

  ask_name(then = null) {
    this.then = then;
    const dialog = this.part("dialog.name");
    dialog.querySelector("input").value = this.name;
    dialog.returnValue = "";
    dialog.showModal();
  }

  named() {
    const dialog = this.part("dialog.name"), given = dialog.querySelector("input").value.trim();
    if (dialog.returnValue === "ok" && given) {
      store.setItem(NAME, given);
      this.refresh();
      if (this.then) this.then();
    }
    this.then = null;
    this.sheet.focus();
  }
}
