// The place that has the cursor, large: the ground, what was expected there, what is known and said
// of it, and the four verdicts.

const GROUND = 200; // px of ground in the large picture
const LINGER = 120; // ms that a place must be looked at before the network is asked for it
const LENGTHS_OF_BAR = [0.5, 1, 2, 5, 10, 20, 50, 100, 1000];

const CLOSE_UP = `
<div class="picture"><img class="large" alt="" draggable="false"><span class="corners"></span>
  <div class="bar" aria-hidden="true"><span></span><i></i></div></div>
<div class="verdicts" role="group" aria-label="Verdict">
  <button data-verdict="hardware">Hardware <kbd>H</kbd></button>
  <button data-verdict="natural">Natural <kbd>N</kbd></button>
  <button data-verdict="artefact">Artefact <kbd>A</kbd></button>
  <button data-verdict="unsure">Unsure <kbd>Q</kbd></button>
</div>
<p class="rank"></p>
<div class="beside">
  <figure><img class="expected" alt="" draggable="false">
    <figcaption><span>expected</span><span>difference</span></figcaption></figure>
  <div class="known"></div>
</div>
<p class="opinions"></p>
<div class="fields">
  <input name="name" maxlength="500" placeholder="Name of this place" aria-label="Name of this place">
  <input name="note" maxlength="500" placeholder="Note" aria-label="Note">
</div>`;

class CloseUp {
  // on: { judge(verdict), write(index, part, words), leave(), step(by) }
  constructor(box, on) {
    this.box = box;
    this.on = on;
    box.innerHTML = CLOSE_UP;
    this.part = (selector) => box.querySelector(selector);
    this.known = new Map();
    box.querySelector(".verdicts").addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (button) on.judge(button.dataset.verdict);
    });
    for (const field of box.querySelectorAll("input")) this.listen(field);
    this.swipes(this.part(".picture"));
  }

  // A field's words are filed when it is left; Escape leaves it as it was.
  listen(field) {
    field.addEventListener("focus", () => { field.about = this.index; });
    field.addEventListener("change", () => this.on.write(field.about ?? this.index, field.name, field.value.trim()));
    field.addEventListener("keydown", (event) => {
      event.stopPropagation(); // its letters are words, not keys of the page
      if (event.key === "Escape") field.value = this.decision[field.name];
      if (event.key === "Escape" || event.key === "Enter") this.on.leave();
    });
  }

  swipes(picture) {
    let from = null;
    picture.addEventListener("touchstart", (event) => { from = event.touches[0].clientX; }, { passive: true });
    picture.addEventListener("touchend", (event) => {
      const by = from === null ? 0 : event.changedTouches[0].clientX - from;
      if (Math.abs(by) > 40) this.on.step(by < 0 ? 1 : -1);
      from = null;
    }, { passive: true });
  }

  // place: { index, x, y, row, col, rank }; null where there is none.
  show(data, place) {
    this.box.classList.toggle("empty", place === null);
    this.index = place ? place.index : null;
    if (!place) return;
    const at = `${Math.floor(place.x)}/${Math.floor(place.y)}?stretch=${data.stretch}`;
    this.picture(this.part(".large"), `${data.tiles}/place/${GROUND}/${at}`);
    this.part(".large").alt = `Ground around place ${place.rank}`;
    this.part(".corners").style.inset = `${50 - (50 * data.side) / GROUND}%`;
    this.scale(data.metres);
    this.part(".rank").textContent = place.rank_words;
    clearTimeout(this.timer);
    const key = `${data.places}/${place.row}/${place.col}`;
    this.tell(this.known.get(key), place);
    this.part(".expected").removeAttribute("src");
    this.timer = setTimeout(() => this.ask(data, place, key), LINGER);
  }

  async ask(data, place, key) {
    this.part(".expected").src = `${data.tiles}/expected/${place.row}/${place.col}?stretch=${data.stretch}`;
    if (this.known.has(key)) return;
    const answer = await fetch(key).catch(() => null);
    if (!answer || !answer.ok) return;
    this.known.set(key, await answer.json());
    if (this.index === place.index) this.tell(this.known.get(key), place);
  }

  // What is known of the place, a line each.
  tell(lines, place) {
    const box = this.part(".known");
    box.replaceChildren(...[...(lines ? lines.lines : []), ...place.lines].map((words) => {
      const line = document.createElement("p");
      line.textContent = words;
      return line;
    }));
  }

  // The next place's picture, so that it is there when the cursor is.
  expect(data, place) {
    if (!place) return;
    new Image().src = `${data.tiles}/place/${GROUND}/${Math.floor(place.x)}/${Math.floor(place.y)}?stretch=${data.stretch}`;
  }

  picture(image, address) { if (image.getAttribute("src") !== address) image.src = address; }

  scale(metres) {
    const bar = this.part(".bar"), most = (metres || 1) * GROUND * 0.3;
    const length = Math.max(...LENGTHS_OF_BAR.filter((one) => one <= most), LENGTHS_OF_BAR[0]);
    bar.firstElementChild.textContent = metres ? `${length} m` : `${length} px`;
    bar.lastElementChild.style.width = `${(100 * length) / ((metres || 1) * GROUND)}cqw`;
  }

  // What is decided: the reviewer's own verdict is pressed, others' are said.
  decided(decision, mine) {
    this.decision = decision;
    for (const button of this.box.querySelectorAll(".verdicts button")) {
      button.setAttribute("aria-pressed", String(button.dataset.verdict === mine));
    }
    const said = decision.opinions.map((one) => `${one.reviewer}: ${one.verdict}`).join(", ");
    this.part(".opinions").textContent = decision.disputed ? `Disputed. ${said}` : said;
    for (const field of this.box.querySelectorAll("input")) {
      const focused = field.getRootNode().activeElement === field;
      if (!focused) field.value = decision[field.name];
    }
  }
}
