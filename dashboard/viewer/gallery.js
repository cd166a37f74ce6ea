// A page of finds as pictures: click chooses, the corner's box selects, Shift selects what is
// between. Arrows walk from picture to picture; Space selects, Enter chooses.

const SIGNS = { "-": "", h: "hardware", n: "natural", a: "artefact", u: "unsure" };

class Gallery {
  constructor(root) {
    this.box = document.createElement("div");
    this.box.className = "gallery";
    this.box.setAttribute("role", "list");
    root.appendChild(this.box);
    this.last = null;
    this.box.addEventListener("click", (event) => this.click(event));
    this.box.addEventListener("keydown", (event) => this.key(event));
  }

  update(data, pick, select) {
    Object.assign(this, { data, pick, select });
    while (this.box.children.length > data.cards.length) this.box.lastChild.remove();
    data.cards.forEach((card, index) => this.show(card, index));
  }

  // Fills a card in its place: nothing jumps when only a verdict has changed.
  show(card, index) {
    let item = this.box.children[index];
    if (!item) {
      item = document.createElement("div");
      item.className = "card";
      item.setAttribute("role", "listitem");
      item.innerHTML = `<button class="picture"><img alt="" decoding="async" draggable="false">
        <span class="mark" aria-hidden="true"></span></button>
        <input type="checkbox"><span class="words"><b></b> <span></span><i></i></span>`;
      this.box.appendChild(item);
    }
    const { tiles, side, stretch } = this.data, said = SIGNS[card.verdict];
    const place = `${side}/${Math.floor(card.x)}/${Math.floor(card.y)}`;
    const address = `${tiles}/place/${place}?stretch=${stretch}`;
    const picture = item.querySelector("img"), button = item.querySelector("button");
    if (picture.getAttribute("src") !== address) picture.src = address;
    const words = `${card.rank}, ${card.sigma} sigma${said ? `, ${said}` : ""}`;
    button.setAttribute("aria-label", `Find ${words}${card.name ? `, ${card.name}` : ""}`);
    button.setAttribute("aria-current", String(card.chosen));
    item.className = `card ${said}${card.chosen ? " chosen" : ""}${card.selected ? " selected" : ""}`;
    const box = item.querySelector("input");
    box.checked = card.selected;
    box.setAttribute("aria-label", `Select find ${card.rank}`);
    item.querySelector("b").textContent = card.rank;
    item.querySelector(".words span").textContent = `${card.sigma} σ`;
    item.querySelector("i").textContent = card.name || said;
  }

  index(event) { return [...this.box.children].indexOf(event.target.closest(".card")); }

  click(event) {
    const index = this.index(event);
    if (index < 0) return;
    if (event.target.type === "checkbox") this.mark(index, event.target.checked, event.shiftKey);
    else if (event.shiftKey || event.ctrlKey || event.metaKey) {
      this.mark(index, !this.data.cards[index].selected, event.shiftKey);
    } else if (event.target.closest("button")) {
      this.last = index;
      this.pick([this.data.cards[index].x, this.data.cards[index].y]);
    }
  }

  mark(index, on, range) {
    const from = range && this.last !== null ? this.last : index;
    for (let i = Math.min(from, index); i <= Math.max(from, index); i += 1) {
      if (!this.data.cards[i]) continue;
      this.data.cards[i].selected = on;
      this.show(this.data.cards[i], i);
    }
    this.last = index;
    this.select(this.data.cards.filter((card) => card.selected).map((card) => [card.x, card.y]));
  }

  key(event) {
    const index = this.index(event), { key } = event;
    if (event.ctrlKey || event.metaKey || event.altKey || index < 0) return;
    const across = getComputedStyle(this.box).gridTemplateColumns.split(" ").length;
    const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -across, ArrowDown: across };
    if (key in steps) {
      const next = this.box.children[index + steps[key]];
      if (next) next.querySelector("button").focus();
    } else if (key === " " && event.target.type !== "checkbox") {
      this.mark(index, !this.data.cards[index].selected, event.shiftKey);
    } else return;
    event.preventDefault();
    event.stopPropagation(); // the page has keys of its own
  }
}

export default function ({ data, parentElement, setTriggerValue }) {
  parentElement.gallery ??= new Gallery(parentElement);
  parentElement.gallery.update(
    data,
    (place) => setTriggerValue("pick", place),
    (places) => setTriggerValue("selection", places),
  );
}
