// What the page knows of single pairs, and small helpers for the document.

const byId = (id) => document.getElementById(id);

const MADE = "ok"; // The status of a pair that was swapped.

// An element with a class and words; names come from anywhere, so they are only ever set as text.
function make(tag, name = "", words = "") {
  const element = document.createElement(tag);
  if (name) element.className = name;
  if (words !== "") element.textContent = words;
  return element;
}

function svg(tag, attributes) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

function say(words) {
  byId("said").textContent = words;
}

const bytes = (text) => Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0));
const codes = (text) => new Uint16Array(bytes(text).buffer);

// The pairs of the run, or a sentence on why there are none.
function readPairs() {
  const section = byId("pairs");
  if (!section.dataset.beside) {
    const read = (id) => JSON.parse(byId(id).textContent);
    return new Pairs(read("pair-data"), read("pair-sheets"));
  }
  const content = globalThis.hifibenchPairs;
  if (!content) return `${section.dataset.beside} is not beside this page: single pairs cannot be shown.`;
  if (content.key !== section.dataset.key) {
    return `${section.dataset.beside} belongs to another report than this page: single pairs cannot be shown.`;
  }
  return new Pairs(content, null);
}

class Pairs {
  constructor(content, sheets) {
    Object.assign(this, content);
    this.sheets = sheets;
    this.count = this.pairs.length;
    this.position = new Map(this.pairs.map((name, pair) => [name, pair]));
    this.there = this.tiles ? bytes(this.tiles.there) : null;
    this.levels = this.splits.map((split) => codes(split.of));
    this.ends = this.methods.map((method) => (method.ended ? codes(method.ended) : null));
    this.frames = this.full ? this.full.map(bytes) : null;
    this.numbers = new Map();
  }

  // The value of each pair; null where the method was not measured so.
  values(metric, method) {
    const key = `${metric} ${method}`;
    if (!this.numbers.has(key)) {
      const text = this.metrics[metric].values[method];
      this.numbers.set(key, text === null ? null : new Float32Array(bytes(text).buffer));
    }
    return this.numbers.get(key);
  }

  value(metric, method, pair) {
    const values = this.values(metric, method);
    return values === null ? NaN : values[pair];
  }

  // How a swap ended; empty where nobody knows.
  status(method, pair) {
    const ends = this.ends[method];
    return ends && ends[pair] ? this.statuses[ends[pair] - 1] : "";
  }

  message(method, pair) {
    return this.methods[method].messages[pair] ?? "";
  }

  has(tile, pair) {
    return tile !== null && this.there !== null && this.there[pair * this.tiles.count + tile] === 1;
  }

  sheet(pair) {
    if (this.sheets) return `data:image/jpeg;base64,${this.sheets[pair]}`;
    return `${this.folder}/${String(pair).padStart(5, "0")}.jpg`;
  }

  // The full frame of a swap, where it lay beside the report when that was made.
  frame(method, pair) {
    if (!this.frames || !this.frames[method][pair]) return null;
    const [folder, file] = [this.methods[method].name, `${this.pairs[pair]}.png`].map(encodeURIComponent);
    return `../swaps/${folder}/${file}`;
  }

  // A number as printed, or why there is none.
  words(metric, value) {
    if (Number.isNaN(value)) return "not scored";
    if (!Number.isFinite(value)) return "nothing to score";
    const text = value.toFixed(this.metrics[metric].decimals);
    return Number(text) === 0 ? text.replace("-", "") : text;
  }

  heading(metric) {
    const { title, words, unit } = this.metrics[metric];
    return `${title}${words.length ? `: ${words.join(", ")}` : ""}${unit ? ` (${unit})` : ""}`;
  }

  // One picture of a pair: its part of the sheet, or words where there is none.
  picture(pair, tile, label, none = "no picture") {
    const frame = make("span", "tile");
    const empty = () => frame.replaceChildren(make("span", "none", none));
    if (!this.has(tile, pair)) {
      empty();
      return frame;
    }
    const { columns, rows } = this.tiles;
    // A little larger than its frame, so that no neighbour shows at its edge.
    const zoom = 1.012;
    const image = make("img");
    image.alt = label;
    image.decoding = "async";
    image.draggable = false;
    image.style.width = `${100 * columns * zoom}%`;
    image.style.height = `${100 * rows * zoom}%`;
    image.style.left = `${-100 * ((tile % columns) * zoom + (zoom - 1) / 2)}%`;
    image.style.top = `${-100 * (Math.floor(tile / columns) * zoom + (zoom - 1) / 2)}%`;
    image.addEventListener("error", empty);
    image.src = this.sheet(pair);
    frame.append(image);
    return frame;
  }
}
