// The words of a page that are too faint, by WCAG 2 AA: 4.5 to 1, and 3 to 1 for large ones.
// What lies over a picture is judged as if that were white; what cannot be used may be faint.
() => {
  const pen = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const known = new Map();
  const colour = (text) => {
    if (!known.has(text)) {
      pen.clearRect(0, 0, 1, 1);
      pen.fillStyle = text;
      pen.fillRect(0, 0, 1, 1);
      const [r, g, b, a] = pen.getImageData(0, 0, 1, 1).data;
      known.set(text, [r, g, b, a / 255]);
    }
    return known.get(text);
  };
  const over = (top, below) => [0, 1, 2].map((i) => top[i] * top[3] + below[i] * (1 - top[3]));
  const light = (rgb) => {
    const [r, g, b] = rgb.map((v) => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ratio = (a, b) => {
    const [low, high] = [light(a), light(b)].sort((x, y) => x - y);
    return (high + 0.05) / (low + 0.05);
  };
  const above = (node) => node.assignedSlot || node.parentElement || node.getRootNode().host || null;
  const chain = (node) => { const all = []; for (let n = node; n; n = above(n)) all.push(n); return all; };

  const paper = colour(getComputedStyle(document.querySelector(".stApp")).backgroundColor);
  // A label may hang outside of what it belongs to: only what reaches under it counts.
  const under = (node, x, y) => {
    const box = node.getBoundingClientRect();
    return box.left <= x && x <= box.right && box.top <= y && y <= box.bottom;
  };

  function behind(nodes) {
    const layers = [], box = nodes[0].getBoundingClientRect();
    const x = (box.left + box.right) / 2, y = (box.top + box.bottom) / 2;
    for (const node of nodes) {
      if (!under(node, x, y)) continue;
      if (node.matches(".stage")) { layers.push([255, 255, 255, 1]); break; }
      const layer = colour(getComputedStyle(node).backgroundColor);
      layers.push(layer);
      if (layer[3] === 1) break;
    }
    return layers.reverse().reduce((below, layer) => over(layer, below), paper);
  }

  const faint = [];
  function judge(node, text, paint) {
    const nodes = chain(node), style = getComputedStyle(node);
    if (nodes.some((one) => one.matches("[disabled],[aria-disabled=true]"))) return;
    const back = behind(nodes), ink = [...colour(paint)];
    ink[3] *= nodes.reduce((all, one) => all * Number(getComputedStyle(one).opacity), 1);
    const size = parseFloat(style.fontSize), bold = Number(style.fontWeight) >= 700;
    const needed = size >= 24 || (bold && size >= 18.66) ? 3 : 4.5;
    const found = ratio(over(ink, back), back);
    if (found < needed) {
      faint.push({ text: text.trim().slice(0, 60), ratio: found, needed, paint, behind: back.map(Math.round) });
    }
  }

  function walk(root) {
    for (const node of root.querySelectorAll("*")) {
      if (node.shadowRoot) walk(node.shadowRoot);
      if (["STYLE", "SCRIPT", "TITLE", "NOSCRIPT"].includes(node.tagName)) continue;
      if (!node.checkVisibility({ visibilityProperty: true, opacityProperty: true })) continue;
      const style = getComputedStyle(node);
      if (node.matches("input[type=text], textarea")) {
        judge(node, node.value || node.placeholder,
          node.value ? style.color : getComputedStyle(node, "::placeholder").color);
      }
      const text = [...node.childNodes].filter((one) => one.nodeType === 3).map((one) => one.data).join("");
      if (text.trim() && node.getBoundingClientRect().width > 1) {
        judge(node, text, node instanceof SVGElement ? style.fill : style.color);
      }
    }
  }
  walk(document);
  return faint;
}
