// The contact sheet: pictures of places in rows, of which only those in sight are in the page. The
// place that has the cursor has the focus; it is the one that is shown large.

const LEAST = 172; // px, the narrowest picture
const GAP = 8, WORDS = 24; // px between pictures; below one

class ContactSheet {
  // on: { cursor(index), select(index, range) }; card(index): what a picture says of its place.
  constructor(box, on) {
    this.box = box;
    this.on = on;
    this.field = document.createElement("div");
    this.field.className = "field";
    this.field.setAttribute("role", "listbox");
    this.field.setAttribute("aria-label", "Places, one is shown large");
    this.field.setAttribute("aria-multiselectable", "true");
    box.appendChild(this.field);
    this.order = [];
    this.cards = new Map();
    this.at = -1; // the cursor's place in the order
    box.addEventListener("scroll", () => this.paint(), { passive: true });
    new ResizeObserver(() => this.measure()).observe(box);
    // A press moves the focus, and the cursor with it, before it is a click.
    this.field.addEventListener("pointerdown", () => { this.from = this.at; });
    this.field.addEventListener("click", (event) => this.click(event));
    this.field.addEventListener("focusin", (event) => this.focused(event));
  }

  // Shows these places, by their indices, in this order; the cursor stays on its place.
  show(order, card, cursor) {
    this.order = order;
    this.card = card;
    this.at = Math.max(0, order.indexOf(cursor));
    for (const element of this.cards.values()) element.remove();
    this.cards.clear();
    this.measure();
    this.in_sight();
  }

  get cursor() { return this.order[this.at] ?? null; }

  measure() {
    const width = this.box.clientWidth - 2 * GAP;
    if (width <= 0) return;
    this.across = Math.max(1, Math.floor((width + GAP) / (LEAST + GAP)));
    this.side = Math.min(260, Math.floor((width + GAP) / this.across) - GAP);
    this.step = this.side + WORDS + GAP;
    this.field.style.height = `${Math.ceil(this.order.length / this.across) * this.step}px`;
    this.refresh();
    this.paint();
  }

  // The rows in sight, and how many fit.
  rows() {
    const first = Math.floor(this.box.scrollTop / this.step);
    return [first, Math.ceil((this.box.scrollTop + this.box.clientHeight) / this.step)];
  }

  // The places that are in sight whole, or nearly.
  seen() {
    const { scrollTop: top, clientHeight: high } = this.box;
    return this.order.filter((_, i) => {
      const y = Math.floor(i / this.across) * this.step;
      return y + this.side > top + 0.3 * this.side && y < top + high - 0.7 * this.side;
    });
  }

  paint() {
    if (!this.side || !this.card) return;
    const [first, last] = this.rows(), wanted = new Set();
    for (let i = Math.max(0, (first - 1) * this.across); i < (last + 1) * this.across; i += 1) {
      if (i < this.order.length) wanted.add(i);
    }
    if (this.at >= 0 && this.at < this.order.length) wanted.add(this.at);
    for (const [i, element] of this.cards) if (!wanted.has(i)) { element.remove(); this.cards.delete(i); }
    for (const i of [...wanted].sort((a, b) => a - b)) if (!this.cards.has(i)) this.put(i);
  }

  put(i) {
    let element = this.cards.get(i);
    if (!element) {
      element = document.createElement("div");
      element.setAttribute("role", "option");
      element.innerHTML = `<img alt="" decoding="async" draggable="false"><span class="mark"></span>
        <span class="words"><b></b><span></span><i></i></span>`;
      this.cards.set(i, element);
      const after = [...this.cards.keys()].filter((one) => one > i).sort((a, b) => a - b)[0];
      this.field.insertBefore(element, after === undefined ? null : this.cards.get(after));
    }
    const place = this.card(this.order[i]), picture = element.querySelector("img");
    element.className = `card ${place.verdict}${i === this.at ? " chosen" : ""}${
      place.selected ? " selected" : ""}${place.disputed ? " disputed" : ""}${place.failed ? " failed" : ""}`;
    element.style.cssText = `left:${(i % this.across) * (this.side + GAP)}px;width:${this.side}px;`
      + `top:${Math.floor(i / this.across) * this.step}px;height:${this.side + WORDS}px`;
    element.tabIndex = i === this.at ? 0 : -1;
    element.dataset.at = i;
    element.setAttribute("aria-label", place.label);
    element.setAttribute("aria-selected", String(place.selected));
    element.setAttribute("aria-setsize", this.order.length);
    element.setAttribute("aria-posinset", i + 1);
    if (i === this.at) element.setAttribute("aria-current", "true");
    else element.removeAttribute("aria-current");
    if (picture.getAttribute("src") !== place.picture) picture.src = place.picture;
    const [rank, says, mine] = element.querySelectorAll(".words > *");
    rank.textContent = place.rank;
    says.textContent = place.says;
    mine.textContent = place.name;
  }

  // Draws the cards of these places anew; of all that are there without them.
  refresh(indices) {
    const only = indices && new Set(indices);
    for (const i of this.cards.keys()) if (!only || only.has(this.order[i])) this.put(i);
  }

  // Moves the cursor to a place in the order, and the focus with it.
  go(at, focus = true) {
    if (!this.order.length) return;
    const before = this.at;
    this.at = Math.max(0, Math.min(this.order.length - 1, at));
    this.in_sight();
    for (const i of [before, this.at]) if (i >= 0 && i < this.order.length) this.put(i);
    if (focus) this.focus();
    this.on.cursor(this.cursor);
  }

  to(index, focus = true) {
    const at = this.order.indexOf(index);
    if (at >= 0) this.go(at, focus);
    return at >= 0;
  }

  focus() {
    const element = this.cards.get(this.at);
    if (!element) return;
    this.moving = true;
    element.focus({ preventScroll: true });
    this.moving = false;
  }

  // Scrolls no further than that the cursor is in sight.
  in_sight() {
    if (!this.side || this.at < 0) return;
    const top = Math.floor(this.at / this.across) * this.step, { scrollTop, clientHeight } = this.box;
    if (top < scrollTop) this.box.scrollTop = top;
    else if (top + this.step > scrollTop + clientHeight) this.box.scrollTop = top + this.step - clientHeight;
    this.paint();
  }

  // Scrolls until the cursor's row is the first in sight.
  lead() {
    if (!this.side || this.at < 0) return;
    this.box.scrollTop = Math.floor(this.at / this.across) * this.step;
    this.paint();
    this.focus();
  }

  // The cursor's way by a key; false where it is no such key.
  walk(key) {
    const page = Math.max(1, Math.floor(this.box.clientHeight / this.step)) * this.across;
    const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -this.across, ArrowDown: this.across,
      PageUp: -page, PageDown: page, Home: -Infinity, End: Infinity };
    if (!(key in steps)) return false;
    const to = this.at + steps[key];
    if (Math.abs(steps[key]) !== this.across || (to >= 0 && to < this.order.length)) this.go(to);
    return true;
  }

  // A finger's or mouse's choice.
  click(event) {
    const card = event.target.closest("[role=option]");
    if (!card) return;
    const at = Number(card.dataset.at), from = this.from ?? this.at;
    this.go(at);
    if (event.shiftKey) this.on.select(this.order.slice(Math.min(from, at), Math.max(from, at) + 1), true);
    else if (event.ctrlKey || event.metaKey) this.on.select([this.order[at]], false);
  }

  focused(event) {
    const card = event.target.closest("[role=option]");
    if (card && !this.moving && Number(card.dataset.at) !== this.at) this.go(Number(card.dataset.at), false);
  }
}
