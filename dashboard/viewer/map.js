// A map of a scene out of tiles, on one canvas: pan, wheel, pinch and keys, from the overview to one
// pixel; scores and places as layers. Lengths are CSS pixels of the screen or px of the scene.

const NEAR = 16; // px of the screen within which a click means a place
const CLOSEST = 48; // screen px of one px of the scene
const FLIGHT = 320; // ms
const PINCHED = 6; // a pinch on a touchpad comes as a wheel with Ctrl that hardly turns
const LENGTHS = [1, 2, 5].flatMap((n) => [0.1, 1, 10, 100, 1e3, 1e4].map((m) => n * m));
const INK = "#E4E1DC", RUST = "#C4552D", GREY = "#A29D97", SHADE = "rgba(10,10,10,.7)";

const BODY = `
<div class="stage">
  <canvas tabindex="0" role="application" aria-label="Map of the scene: arrows pan, plus and minus
   zoom, 0 shows all of it, Enter opens the place in the middle"></canvas>
  <div class="north" title="north" aria-hidden="true"><svg viewBox="0 0 20 30" width="20" height="30">
    <path d="M10 1 L16 17 L10 13 L4 17 Z"/><text x="10" y="29" text-anchor="middle">N</text></svg></div>
  <div class="bar" aria-hidden="true"><span></span><i></i></div>
  <output class="where" aria-live="off"></output>
</div>
<div class="tools">
  <button data-do="in" title="Closer (+)" aria-label="Closer">+</button>
  <button data-do="out" title="Farther (-)" aria-label="Farther">−</button>
  <button data-do="fit" title="All of the scene (0)">All</button>
  <button data-do="one" title="One pixel of the scene on one of the screen (1)">1:1</button>
  <label class="tick"><input type="checkbox" data-layer="show_places" checked> Places</label>
  <label class="tick"><input type="checkbox" data-layer="unscored"> Not scored</label>
  <label class="slide">Scores <input type="range" min="0" max="100" value="0" step="5"
    aria-label="Opacity of the scores in percent"></label>
</div>`;

function hatched(pen) {
  const tile = document.createElement("canvas"), ink = tile.getContext("2d");
  tile.width = tile.height = 8;
  ink.fillStyle = SHADE; ink.fillRect(0, 0, 8, 8);
  ink.strokeStyle = GREY;
  for (const x of [-8, 0, 8]) { ink.moveTo(x, 8); ink.lineTo(x + 8, 0); }
  ink.stroke();
  return pen.createPattern(tile, "repeat");
}

class Viewer {
  constructor(root) {
    this.box = document.createElement("div");
    this.box.className = "map";
    this.box.innerHTML = BODY;
    root.appendChild(this.box);
    this.canvas = this.box.querySelector("canvas");
    this.pen = this.canvas.getContext("2d");
    this.tiles = new Tiles(() => this.draw());
    this.pointers = new Map();
    this.opacity = 0;
    this.show_places = true;
    this.unscored = false;
    new ResizeObserver(() => this.resize()).observe(this.canvas);
    this.listen();
  }

  update(data, pick) {
    const first = !this.data || this.data.tiles !== data.tiles;
    const before = this.data && this.data.chosen;
    this.data = data;
    this.pick = pick;
    if (first) this.fit();
    else if (!data.still && data.chosen !== null && data.chosen !== before && data.chosen !== this.picked) {
      this.go(data.chosen, false);
    }
    this.picked = null;
    this.draw();
  }

  get width() { return this.canvas.clientWidth; }
  get height() { return this.canvas.clientHeight; }

  resize() {
    const ratio = window.devicePixelRatio || 1;
    this.canvas.width = Math.round(this.width * ratio);
    this.canvas.height = Math.round(this.height * ratio);
    if (this.data && this.fitted) this.fit();
    this.draw();
  }

  least() {
    return Math.min(this.width / this.data.width, this.height / this.data.height) || 1e-6;
  }

  fit() {
    this.view = { x: this.data.width / 2, y: this.data.height / 2, scale: 0.98 * this.least() };
    this.fitted = true;
    this.draw();
  }

  // Moves to a place, closer where it would be too small to be seen.
  go(index, at_once) {
    const to = {
      x: this.data.x[index], y: this.data.y[index],
      scale: Math.max(this.view.scale, Math.min(this.width, this.height) / (6 * this.data.side)),
    };
    if (at_once || matchMedia("(prefers-reduced-motion: reduce)").matches) { this.set(to); return; }
    const from = { ...this.view }, began = performance.now();
    const flight = (this.flight = {});
    const step = (now) => {
      if (this.flight !== flight) return;
      const part = Math.min(1, Math.max(0, (now - began) / FLIGHT)), eased = part * (2 - part);
      const mix = (a, b) => a + (b - a) * eased;
      this.set({ x: mix(from.x, to.x), y: mix(from.y, to.y),
        scale: Math.exp(mix(Math.log(from.scale), Math.log(to.scale))) });
      if (part < 1) requestAnimationFrame(step);
    };
    requestAnimationFrame(step);
  }

  set(view) {
    this.fitted = false;
    this.view = {
      x: Math.min(this.data.width, Math.max(0, view.x)),
      y: Math.min(this.data.height, Math.max(0, view.y)),
      scale: Math.min(CLOSEST, Math.max(0.5 * this.least(), view.scale)),
    };
    this.draw();
  }

  // Zooms so that what lies under a point of the screen stays there.
  zoom(factor, px = this.width / 2, py = this.height / 2) {
    this.flight = null;
    const [x, y] = this.ground(px, py), before = this.view.scale;
    const scale = Math.min(CLOSEST, Math.max(0.5 * this.least(), before * factor));
    this.set({ scale, x: x - (px - this.width / 2) / scale, y: y - (py - this.height / 2) / scale });
  }

  pan(dx, dy) {
    this.flight = null;
    const { x, y, scale } = this.view;
    this.set({ x: x - dx / scale, y: y - dy / scale, scale });
  }

  ground(px, py) {
    const { x, y, scale } = this.view;
    return [x + (px - this.width / 2) / scale, y + (py - this.height / 2) / scale];
  }

  screen(x, y) {
    return [(x - this.view.x) * this.view.scale + this.width / 2,
      (y - this.view.y) * this.view.scale + this.height / 2];
  }

  draw() {
    if (this.due || !this.data || !this.view) return;
    this.due = requestAnimationFrame(() => { this.due = null; this.paint(); });
  }

  paint() {
    const ratio = window.devicePixelRatio || 1, { pen } = this;
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, this.width, this.height);
    const wanted = [];
    this.layer("ground", `stretch=${this.data.stretch}`, 1, wanted);
    if (this.opacity > 0) {
      this.layer("scores", `ends=${this.data.ends}&done=${this.data.done}`, this.opacity, wanted);
    }
    this.tiles.want(wanted.sort((a, b) => a.far - b.far).map((tile) => tile.address));
    if (this.unscored) this.veil();
    if (this.show_places) this.marks();
    this.legend();
    const { x, y, scale } = this.view;
    this.canvas.dataset.view = [x.toFixed(4), y.toFixed(4), scale.toFixed(7)];
    this.canvas.dataset.waiting = this.tiles.busy + this.tiles.wanted.length;
  }

  layer(name, query, opacity, wanted) {
    const { pen, data } = this, ratio = window.devicePixelRatio || 1;
    const top = Math.max(0, Math.ceil(Math.log2(Math.max(data.width, data.height) / TILE)));
    const level = Math.min(top, Math.max(0, Math.floor(0.35 - Math.log2(this.view.scale * ratio))));
    const [left, upper] = this.ground(0, 0), [right, lower] = this.ground(this.width, this.height);
    const side = TILE * 2 ** level;
    const cols = [Math.max(0, Math.floor(left / side)), Math.ceil(Math.min(right, data.width) / side)];
    const rows = [Math.max(0, Math.floor(upper / side)), Math.ceil(Math.min(lower, data.height) / side)];
    const where = (z, col, row) => `${data.tiles}/${name}/${z}/${col}/${row}?${query}`;
    pen.globalAlpha = opacity;
    pen.imageSmoothingEnabled = this.view.scale * 2 ** level * ratio < 2;
    for (let row = rows[0]; row < rows[1]; row += 1) {
      for (let col = cols[0]; col < cols[1]; col += 1) {
        const far = Math.hypot((col + 0.5) * side - this.view.x, (row + 0.5) * side - this.view.y);
        wanted.push({ address: where(level, col, row), far });
        // Until a tile is there, the part of a coarser one that covers it stands in.
        for (let up = 0; level + up <= top; up += 1) {
          const image = this.tiles.get(where(level + up, col >> up, row >> up));
          if (image) { this.piece(image, name, level, up, col, row); break; }
        }
      }
    }
    if (level < top) wanted.push({ address: where(top, 0, 0), far: 1e12 });
    pen.globalAlpha = 1;
  }

  // Draws what a tile `up` levels above has of the tile at (col, row).
  piece(image, name, level, up, col, row) {
    const side = TILE * 2 ** level, part = TILE / 2 ** up, { data, pen } = this;
    const from_x = (col % 2 ** up) * part, from_y = (row % 2 ** up) * part;
    const width = Math.min(part, image.width - from_x), height = Math.min(part, image.height - from_y);
    if (width <= 0 || height <= 0) return;
    const [x0, y0] = this.screen(col * side, row * side);
    const [x1, y1] = this.screen(
      Math.min(name === "ground" ? data.width : Infinity, col * side + width * 2 ** (level + up)),
      Math.min(name === "ground" ? data.height : Infinity, row * side + height * 2 ** (level + up)));
    const ratio = window.devicePixelRatio || 1, snap = (at) => Math.round(at * ratio) / ratio;
    pen.drawImage(image, from_x, from_y, width, height,
      snap(x0), snap(y0), snap(x1) - snap(x0), snap(y1) - snap(y0));
  }

  // Hatches the ground that was not scored.
  veil() {
    const { pen, data } = this, path = new Path2D();
    for (const ring of (data.unscored || []).flat()) {
      ring.forEach(([x, y], i) => path[i ? "lineTo" : "moveTo"](...this.screen(x, y)));
      path.closePath();
    }
    pen.fillStyle = this.hatch ??= hatched(pen);
    pen.fill(path, "evenodd");
    pen.strokeStyle = GREY; pen.lineWidth = 1; pen.stroke(path);
  }

  // Rings of the places: what is open in rust, what is confirmed filled, what is settled quiet.
  marks() {
    const { pen, data } = this, paths = {};
    const half = (data.side * this.view.scale) / 2, r = Math.max(3.5, half);
    for (let i = 0; i < data.x.length; i += 1) {
      const [x, y] = this.screen(data.x[i], data.y[i]);
      if (x < -20 || y < -20 || x > this.width + 20 || y > this.height + 20) continue;
      const path = (paths[data.verdict[i]] ??= new Path2D());
      if (data.verdict[i] === "a") {
        const arm = Math.min(8, 0.65 * r);
        path.moveTo(x - arm, y - arm); path.lineTo(x + arm, y + arm);
        path.moveTo(x + arm, y - arm); path.lineTo(x - arm, y + arm);
      } else { path.moveTo(x + r, y); path.arc(x, y, r, 0, 7); }
    }
    for (const [verdict, path] of Object.entries(paths)) {
      const quiet = verdict === "n" || verdict === "a";
      pen.setLineDash(verdict === "u" ? [3, 3] : []);
      pen.strokeStyle = SHADE; pen.lineWidth = r < 5 ? 2.6 : 3.6; pen.stroke(path);
      pen.strokeStyle = quiet ? GREY : RUST; pen.lineWidth = quiet || r < 5 ? 1.2 : 1.8; pen.stroke(path);
      if (verdict === "h") { pen.fillStyle = RUST; pen.fill(path); }
    }
    pen.setLineDash([]);
    if (data.chosen === null) return;
    const [x, y] = this.screen(data.x[data.chosen], data.y[data.chosen]);
    this.corners(x, y, Math.max(1.25 * half, 13));
  }

  corners(x, y, half) {
    const { pen } = this, arm = Math.max(5, half / 3), path = new Path2D();
    for (const [sx, sy] of [[-1, -1], [1, -1], [1, 1], [-1, 1]]) {
      path.moveTo(x + sx * half, y + sy * (half - arm));
      path.lineTo(x + sx * half, y + sy * half);
      path.lineTo(x + sx * (half - arm), y + sy * half);
    }
    pen.strokeStyle = SHADE; pen.lineWidth = 4.5; pen.stroke(path);
    pen.strokeStyle = INK; pen.lineWidth = 2; pen.stroke(path);
  }

  legend() {
    const bar = this.box.querySelector(".bar"), { data } = this;
    bar.hidden = !data.metres;
    if (data.metres) {
      const most = (0.22 * this.width * data.metres) / this.view.scale;
      const metres = Math.max(0.1, ...LENGTHS.filter((length) => length <= most));
      bar.firstElementChild.textContent = metres < 1000 ? `${+metres.toFixed(1)} m` : `${metres / 1000} km`;
      bar.lastElementChild.style.width = `${(metres / data.metres) * this.view.scale}px`;
    }
    const north = this.box.querySelector(".north"), angle = this.north();
    north.hidden = angle === null;
    if (angle !== null) north.style.transform = `rotate(${angle}rad)`;
  }

  // Longitude and latitude in degrees, out of a grid of known points; null without a CRS.
  lonlat(x, y) {
    const grid = this.data.lonlat;
    if (!grid) return null;
    const n = grid.lon.length - 1;
    const u = Math.min(0.999999, Math.max(0, x / this.data.width)) * n;
    const v = Math.min(0.999999, Math.max(0, y / this.data.height)) * n;
    const i = Math.floor(u), j = Math.floor(v), p = u - i, q = v - j;
    const at = (a) => (a[j][i] * (1 - p) + a[j][i + 1] * p) * (1 - q)
      + (a[j + 1][i] * (1 - p) + a[j + 1][i + 1] * p) * q;
    return [((at(grid.lon) % 360) + 360) % 360, at(grid.lat)];
  }

  // Where north is on the screen, clockwise from up: the way that latitude grows.
  north() {
    if (!this.data.lonlat) return null;
    const step = Math.max(this.data.width, this.data.height) / 50, { x, y } = this.view;
    const along = this.lonlat(x + step, y)[1] - this.lonlat(x - step, y)[1];
    const down = this.lonlat(x, y + step)[1] - this.lonlat(x, y - step)[1];
    return Math.atan2(along, -down);
  }

  say(px, py) {
    const [x, y] = this.ground(px, py), out = this.box.querySelector(".where");
    if (!this.data || x < 0 || y < 0 || x >= this.data.width || y >= this.data.height) {
      out.textContent = "";
      return;
    }
    const whole = (n) => Math.floor(n).toLocaleString("en-US");
    const place = this.lonlat(x, y);
    out.textContent = `x ${whole(x)}, y ${whole(y)} px` + (place === null ? ""
      : ` · ${place[0].toFixed(5)}° E, ${Math.abs(place[1]).toFixed(5)}° ${place[1] < 0 ? "S" : "N"}`);
  }

  nearest(px, py, reach) {
    let best = null, least = reach;
    for (let i = 0; i < this.data.x.length; i += 1) {
      const [x, y] = this.screen(this.data.x[i], this.data.y[i]);
      const far = Math.hypot(x - px, y - py);
      if (far < least) { best = i; least = far; }
    }
    return best;
  }

  choose(index) {
    if (index === null) return;
    this.picked = index;
    this.pick([this.data.x[index], this.data.y[index]]);
  }

  listen() {
    const { canvas } = this, spot = (event) => [event.offsetX, event.offsetY];
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      this.pointers.set(event.pointerId, spot(event));
      this.moved = this.pointers.size > 1 ? Infinity : 0;
      this.flight = null;
    });
    canvas.addEventListener("pointermove", (event) => this.move(event, spot(event)));
    const up = (event) => {
      const was = this.pointers.delete(event.pointerId);
      if (was && event.type === "pointerup" && this.moved < 5 && this.show_places) {
        this.choose(this.nearest(...spot(event), NEAR));
      }
    };
    canvas.addEventListener("pointerup", up);
    canvas.addEventListener("pointercancel", up);
    canvas.addEventListener("pointerleave", () => { this.box.querySelector(".where").textContent = ""; });
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      const step = event.deltaY * (event.deltaMode === 1 ? 30 : 1) * (event.ctrlKey ? PINCHED : 1);
      this.zoom(Math.exp(-Math.max(-300, Math.min(300, step)) / 400), ...spot(event));
      this.say(...spot(event));
    }, { passive: false });
    canvas.addEventListener("dblclick", (event) => this.zoom(2, ...spot(event)));
    canvas.addEventListener("keydown", (event) => this.key(event));
    this.box.querySelector(".tools").addEventListener("click", (event) => {
      const what = event.target.dataset && event.target.dataset.do;
      if (what) this.act(what);
    });
    for (const tick of this.box.querySelectorAll("[data-layer]")) {
      tick.addEventListener("change", () => { this[tick.dataset.layer] = tick.checked; this.draw(); });
    }
    this.box.querySelector("[type=range]").addEventListener("input", (event) => {
      this.opacity = event.target.value / 100;
      this.draw();
    });
  }

  move(event, [px, py]) {
    if (!this.data) return;
    this.say(px, py);
    this.canvas.classList.toggle("over", this.show_places && this.nearest(px, py, NEAR) !== null);
    const before = this.pointers.get(event.pointerId);
    if (!before) return;
    this.pointers.set(event.pointerId, [px, py]);
    const others = [...this.pointers].filter(([id]) => id !== event.pointerId);
    if (!others.length) {
      this.moved += Math.hypot(px - before[0], py - before[1]);
      if (this.moved >= 5) this.pan(px - before[0], py - before[1]);
      return;
    }
    const [, [ox, oy]] = others[0]; // two fingers: what lies under each stays there
    const apart = Math.max(1, Math.hypot(before[0] - ox, before[1] - oy));
    this.zoom(Math.hypot(px - ox, py - oy) / apart, (before[0] + ox) / 2, (before[1] + oy) / 2);
    this.pan((px - before[0]) / 2, (py - before[1]) / 2);
  }

  act(what) {
    if (what === "in") this.zoom(1.6);
    if (what === "out") this.zoom(1 / 1.6);
    if (what === "fit") this.fit();
    if (what === "one") this.zoom(1 / this.view.scale / (window.devicePixelRatio || 1));
  }

  key(event) {
    const step = 80, { key } = event;
    const pans = { ArrowLeft: [step, 0], ArrowRight: [-step, 0], ArrowUp: [0, step], ArrowDown: [0, -step] };
    const acts = { "+": "in", "=": "in", "-": "out", 0: "fit", 1: "one" };
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (pans[key]) this.pan(...pans[key]);
    else if (acts[key]) this.act(acts[key]);
    else if (key === "Enter") this.choose(this.nearest(this.width / 2, this.height / 2, Infinity));
    else return;
    event.preventDefault();
    event.stopPropagation(); // the page has keys of its own
  }
}
