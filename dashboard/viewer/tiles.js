// The pictures a map is put together from: asked for as they come into view, a few at a time.

const TILE = 256;
const KEPT = 500; // tiles in memory
const AT_ONCE = 8; // requests under way

class Tiles {
  constructor(changed) { this.kept = new Map(); this.busy = 0; this.wanted = []; this.changed = changed; }

  // The loaded picture of an address; undefined while it is not there.
  get(address) {
    const tile = this.kept.get(address);
    if (!tile) return undefined;
    this.kept.delete(address);
    this.kept.set(address, tile);
    return tile.ready ? tile.image : undefined;
  }

  // Asks for these, the first first; what was asked for before and has not begun is forgotten.
  want(addresses) {
    this.wanted = addresses.filter((address) => !this.kept.has(address));
    this.next();
  }

  next() {
    while (this.busy < AT_ONCE && this.wanted.length) {
      const address = this.wanted.shift();
      const tile = { image: new Image(), ready: false };
      this.kept.set(address, tile);
      this.busy += 1;
      tile.image.onload = () => { tile.ready = true; this.done(); };
      tile.image.onerror = () => { this.done(); };
      tile.image.src = address;
    }
    for (const address of this.kept.keys()) {
      if (this.kept.size <= KEPT) break;
      this.kept.delete(address);
    }
  }

  done() { this.busy -= 1; this.next(); this.changed(); }
}
