// One pair in full: its pictures side by side and upon each other, and everything that was measured of it.

const HASH = "#pair=";

class Viewer {
  constructor(pairs, gallery) {
    this.pairs = pairs;
    this.gallery = gallery;
    this.dialog = byId("viewer");
    this.share = 50;
    this.pair = null;
    this.opener = null;
    this.dialog.addEventListener("close", () => this.closed());
    this.dialog.addEventListener("keydown", (event) => this.key(event));
    // A click beside the dialog closes it.
    this.dialog.addEventListener("click", (event) => {
      if (event.target === this.dialog) this.dialog.close();
    });
    addEventListener("hashchange", () => this.follow());
    this.follow();
  }

  // Open what the address names.
  follow() {
    const name = this.named();
    if (name === null) {
      if (this.dialog.open) this.dialog.close();
      return;
    }
    const pair = this.pairs.position.get(name);
    if (pair === undefined) say(`This run has no pair ${name}.`);
    else if (pair !== this.pair) this.open(pair);
  }

  named() {
    if (!location.hash.startsWith(HASH)) return null;
    try {
      return decodeURIComponent(location.hash.slice(HASH.length));
    } catch {
      return null;
    }
  }

  // The address names the pair, so that it can be sent to others; going back closes it.
  address(hash, replace) {
    try {
      history[replace ? "replaceState" : "pushState"](null, "", hash || location.href.split("#")[0]);
    } catch {
      // A page that is embedded elsewhere may have no address of its own.
    }
  }

  open(pair) {
    const was = this.dialog.open;
    if (!was) this.opener = document.activeElement;
    this.pair = pair;
    const name = this.pairs.pairs[pair];
    if (this.named() !== name) this.address(HASH + encodeURIComponent(name), was);
    const list = this.gallery.listed;
    this.list = list.includes(pair) ? list : [...Array(this.pairs.count).keys()];
    this.method = this.gallery.method;
    this.draw();
    if (!was) this.dialog.showModal();
    this.dialog.querySelector(".inner").focus();
    this.dialog.scrollTop = 0;
  }

  closed() {
    const name = this.pairs.pairs[this.pair];
    this.pair = null;
    if (this.named() !== null) this.address("", true);
    const card = [...document.querySelectorAll(".pair")].find((one) => one.dataset.pair === name);
    const back = card ?? (this.opener?.isConnected ? this.opener : null);
    this.dialog.replaceChildren();
    back?.focus();
  }

  key(event) {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    // The slider has its own use for arrows.
    if (!by || event.altKey || event.ctrlKey || event.metaKey || event.target.type === "range") return;
    event.preventDefault();
    this.step(by);
  }

  step(by) {
    const next = this.list[this.list.indexOf(this.pair) + by];
    if (next === undefined) return;
    const { method, list } = this;
    const focused = document.activeElement?.dataset?.step;
    this.open(next);
    if (method !== this.method) this.choose(method);
    this.list = list;
    if (focused) this.dialog.querySelector(`[data-step="${focused}"]:not(:disabled)`)?.focus();
  }

  choose(method) {
    this.method = method;
    const scroll = this.dialog.scrollTop;
    this.draw();
    this.dialog.scrollTop = scroll;
    this.dialog.querySelector('.swaps [aria-pressed="true"]')?.focus();
  }

  draw() {
    const inner = make("div", "inner");
    inner.tabIndex = -1;
    const upper = make("div", "upper");
    if (this.pairs.tiles) upper.append(this.stage());
    upper.append(this.swaps());
    inner.append(upper);
    const frame = this.full();
    if (frame) inner.append(frame);
    inner.append(...this.levels(), this.scores());
    this.dialog.replaceChildren(this.head(), inner);
  }

  head() {
    const head = make("header");
    const title = make("h2", "", `Pair ${this.pairs.pairs[this.pair]}`);
    title.id = "viewer-title";
    const at = this.list.indexOf(this.pair);
    const button = (content, label, act, disabled = false) => {
      const made = make("button");
      made.type = "button";
      made.disabled = disabled;
      made.setAttribute("aria-label", label);
      made.append(...content);
      made.addEventListener("click", act);
      return made;
    };
    const word = (words) => make("span", "word", words);
    const back = button(["←", word(" Previous")], "Previous pair", () => this.step(-1), at === 0);
    const on = button([word("Next "), "→"], "Next pair", () => this.step(1), at === this.list.length - 1);
    back.dataset.step = "-1";
    on.dataset.step = "1";
    const close = button([word("Close "), "×"], "Close", () => this.dialog.close());
    head.append(title, make("span", "soft", `${at + 1} of ${this.list.length}`), back, on, close);
    return head;
  }

  stage() {
    const { pairs, pair, method } = this;
    const { source, target, swaps, masks } = pairs.tiles;
    const by = pairs.methods[method].name;
    const stage = make("div", "stage");
    const show = (content, words, wide = "") => {
      const figure = make("figure", wide);
      figure.append(...content, make("figcaption", "", words));
      stage.append(figure);
    };
    const swap = (label) => pairs.picture(pair, swaps[method], label, this.gallery.without(method, pair));
    const both = pairs.has(target, pair) && pairs.has(swaps[method], pair);
    const seen = () => [pairs.picture(pair, target, "target"), swap(`swap by ${by}`)];
    if (both) show(this.compare(...seen(), by), `target and ${by}`, "wide");
    else show([swap(`swap by ${by}`)], `swap by ${by}`, "wide");
    show([pairs.picture(pair, source, "source")], "source");
    show([pairs.picture(pair, target, "target")], "target");
    if (both) show([this.change(...seen())], "change, 3 times as bright");
    else show([pairs.picture(pair, null, "", "no change to show")], "change");
    show([pairs.picture(pair, masks[method], `mask of ${by}`, "no mask")], "mask: white is the swap");
    return stage;
  }

  // Target on the left of an edge that the slider or a finger moves, the swap on the right of it.
  compare(below, above, by) {
    const box = make("div", "compare");
    const edge = make("span", "edge");
    above.classList.add("over");
    const slider = make("input");
    slider.type = "range";
    [slider.min, slider.max] = ["0", "100"];
    slider.setAttribute("aria-label", `How much of the target is shown over the swap by ${by}`);
    const move = (share) => {
      this.share = Math.round(Math.min(Math.max(share, 0), 100));
      slider.value = String(this.share);
      slider.setAttribute("aria-valuetext", `${this.share} % target`);
      above.style.clipPath = `inset(0 0 0 ${this.share}%)`;
      edge.style.left = `${this.share}%`;
    };
    slider.addEventListener("input", () => move(Number(slider.value)));
    const drag = (event) => {
      const { left, width } = box.getBoundingClientRect();
      move((100 * (event.clientX - left)) / width);
    };
    box.addEventListener("pointerdown", (event) => {
      box.setPointerCapture(event.pointerId);
      drag(event);
    });
    box.addEventListener("pointermove", (event) => {
      if (box.hasPointerCapture(event.pointerId)) drag(event);
    });
    box.append(below, above, edge, make("span", "tag left", "target"), make("span", "tag right", "swap"));
    move(this.share);
    return [box, slider];
  }

  // What differs between both, computed by the browser as it lays them upon each other.
  change(below, above) {
    const box = make("div", "change");
    above.classList.add("over");
    box.setAttribute("role", "img");
    box.setAttribute("aria-label", "where the swap differs from the target");
    box.append(below, above);
    return box;
  }

  swaps() {
    const { pairs, pair } = this;
    const listed = make("div", "swaps");
    listed.setAttribute("role", "group");
    listed.setAttribute("aria-label", "Swaps of this pair");
    for (const method of this.gallery.methods) {
      const { name } = pairs.methods[method];
      const button = make("button");
      button.type = "button";
      button.title = name;
      button.setAttribute("aria-pressed", String(method === this.method));
      if (pairs.tiles) button.append(pairs.picture(pair, pairs.tiles.swaps[method], "", this.gallery.without(method, pair)));
      button.append(make("span", "name", name));
      button.addEventListener("click", () => this.choose(method));
      listed.append(button);
    }
    return listed;
  }

  full() {
    const address = this.pairs.frame(this.method, this.pair);
    if (!address) return null;
    const box = make("details", "full");
    box.append(make("summary", "", `Full frame by ${this.pairs.methods[this.method].name}`));
    box.addEventListener("toggle", () => {
      if (!box.open || box.querySelector("img")) return;
      const image = make("img");
      image.alt = `full frame by ${this.pairs.methods[this.method].name}`;
      image.addEventListener("error", () => image.replaceWith(make("p", "soft", "The full frame is no longer there.")));
      image.src = address;
      box.append(image);
    });
    return box;
  }

  levels() {
    const parts = this.pairs.splits.flatMap((split, index) => {
      const level = this.pairs.levels[index][this.pair];
      return level ? [make("li", "", `${split.title}: ${split.levels[level - 1]}`)] : [];
    });
    if (!parts.length) return [];
    const list = make("ul", "levels");
    list.setAttribute("aria-label", "Parts of the run that this pair is in");
    list.append(...parts);
    return [list];
  }

  scores() {
    const { pairs, pair, gallery } = this;
    const table = make("table", "scores");
    const head = table.createTHead().insertRow();
    const title = (words, scope) => {
      const cell = make("th", "", words);
      cell.scope = scope;
      return cell;
    };
    head.append(title("Measurement", "col"), ...gallery.methods.map((method) => title(pairs.methods[method].name, "col")));
    const body = table.createTBody();
    const line = (words, below, cells) => {
      const row = body.insertRow();
      const first = title(words, "row");
      if (below) first.append(make("span", "words", below));
      row.append(first);
      for (const [text, known] of cells) {
        const cell = make("td", known ? "" : "none");
        cell.append(make("span", "value", text));
        row.append(cell);
      }
      return row;
    };
    line("Swap", "", gallery.methods.map((method) => {
      const words = [pairs.status(method, pair), pairs.message(method, pair)].filter(Boolean).join(": ");
      return [words || "—", words === MADE];
    }));
    pairs.metrics.forEach((metric, index) => {
      const arrow = { up: " ↑", down: " ↓" }[metric.direction] ?? "";
      const row = line(
        `${metric.title}${metric.unit ? ` (${metric.unit})` : ""}${arrow}`,
        metric.words.join(", "),
        gallery.methods.map((method) => {
          const value = pairs.value(index, method, pair);
          return [pairs.words(index, value), Number.isFinite(value)];
        }),
      );
      row.classList.toggle("chosen", index === gallery.metric);
    });
    const box = make("div", "scroll");
    box.tabIndex = 0;
    box.setAttribute("role", "region");
    box.setAttribute("aria-label", "Scores of this pair");
    box.append(table);
    return box;
  }
}
