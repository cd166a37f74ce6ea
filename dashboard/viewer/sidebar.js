// The left column: what the sheet shows, and the map.

const SIDEBAR = `
<nav class="views" aria-label="Kinds of places"></nav>
<p class="stop" aria-live="polite" hidden></p>
<button class="drawer" aria-expanded="false"><span></span><kbd>T</kbd></button>
<div class="map_place"></div>`;

class Sidebar {
  // on: { view(id), drawer(), pick(index), larger() }
  constructor(box, on) {
    this.box = box;
    this.on = on;
    box.innerHTML = SIDEBAR;
    this.views = box.querySelector(".views");
    this.views.addEventListener("click", (event) => {
      const row = event.target.closest("button");
      if (row) on.view(row.dataset.view);
    });
    box.querySelector(".drawer").addEventListener("click", () => on.drawer());
    this.map = new Viewer(box.querySelector(".map_place"));
  }

  // rows: [{ id, name, count, judged, picture }], of which one is shown; words of the threshold, and
  // of how many objects may stand lower.
  show(rows, shown, words, stop) {
    this.box.querySelector(".drawer span").textContent = words;
    const line = this.box.querySelector(".stop");
    if (line.textContent !== stop) line.textContent = stop;
    line.hidden = !stop;
    while (this.views.children.length > rows.length) this.views.lastChild.remove();
    rows.forEach((row, i) => this.row(row, i, row.id === shown));
  }

  row({ id, name, count, judged, picture }, i, shown) {
    let button = this.views.children[i];
    if (!button) {
      button = document.createElement("button");
      button.innerHTML = `<img alt="" draggable="false"><span class="name"></span><span class="count"></span>
        <i class="part"><i></i></i>`;
      this.views.appendChild(button);
    }
    button.dataset.view = id;
    button.setAttribute("aria-pressed", String(shown));
    button.setAttribute("aria-label", `${name}, ${count} places, ${judged} judged`);
    const image = button.querySelector("img");
    image.hidden = !picture;
    if (picture && image.getAttribute("src") !== picture) image.src = picture;
    button.querySelector(".name").textContent = name;
    button.querySelector(".count").textContent = count;
    button.querySelector(".part > i").style.width = `${count ? (100 * judged) / count : 0}%`;
  }
}
