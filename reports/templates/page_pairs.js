// The gallery: pairs that are chosen, ordered and turned over page by page.

const PAGE = 24;

class Gallery {
  constructor(pairs, open) {
    this.pairs = pairs;
    this.open = open;
    this.page = 0;
    this.listed = [];
    this.methods = pairs.methods.map((_, method) => method);
    this.splits = [...document.querySelectorAll("#explorer [data-split]")];
    const first = pairs.methods.findIndex((method) => !method.reference);
    this.method = Math.max(first, 0);
    byId("pick-method").value = String(this.method);
    // A share of pairs has but two values, and a set's number none of its pairs': others show more.
    const telling = pairs.metrics.findIndex((metric) => !metric.whole && !metric.rate);
    if (byId("pick-metric")) byId("pick-metric").value = String(Math.max(telling, 0));
    byId("explorer").hidden = false;
    this.listen();
    for (const place of ["pager-top", "pager-bottom"]) this.equip(byId(place));
    this.update();
  }

  get metric() {
    const pick = byId("pick-metric");
    return pick ? Number(pick.value) : null;
  }

  listen() {
    for (const id of ["pick-metric", "pick-order", "pick-status"]) byId(id)?.addEventListener("change", () => this.update());
    for (const select of this.splits) select.addEventListener("change", () => this.update());
    byId("pick-text").addEventListener("input", () => this.update());
    byId("pick-method").addEventListener("change", (event) => this.pick(Number(event.target.value)));
    byId("gallery").addEventListener("keydown", (event) => this.move(event));
  }

  pick(method) {
    this.method = method;
    byId("pick-method").value = String(method);
    this.update();
  }

  // Show these methods only; where the chosen one is not among them, the first that is takes its place.
  restrict(hidden) {
    this.methods = this.pairs.methods.flatMap((method, index) => (hidden.has(method.name) ? [] : [index]));
    for (const option of byId("pick-method").options) {
      option.hidden = option.disabled = !this.methods.includes(Number(option.value));
    }
    if (!this.methods.includes(this.method)) {
      const rival = this.methods.find((method) => !this.pairs.methods[method].reference);
      this.pick(rival ?? this.methods[0]);
    } else this.update();
  }

  equip(place) {
    const [back, words, on] = [make("button", "back", "Previous"), make("span", "at"), make("button", "on", "Next")];
    back.type = on.type = "button";
    back.addEventListener("click", () => this.turn(-1));
    on.addEventListener("click", () => this.turn(1));
    place.append(back, words, on);
  }

  get pages() {
    return Math.max(1, Math.ceil(this.listed.length / PAGE));
  }

  turn(by) {
    const page = Math.min(Math.max(this.page + by, 0), this.pages - 1);
    if (page === this.page) return false;
    this.page = page;
    this.show();
    return true;
  }

  // Arrow keys go from card to card, and on to the next page.
  move(event) {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const cards = [...byId("gallery").children];
    const at = cards.indexOf(document.activeElement);
    if (!by || at < 0) return;
    event.preventDefault();
    if (cards[at + by]) cards[at + by].focus();
    else if (this.turn(by)) byId("gallery").children[by > 0 ? 0 : PAGE - 1].focus();
  }

  keeps(pair) {
    const { pairs, metric, method } = this;
    if (this.text && !pairs.pairs[pair].toLowerCase().includes(this.text)) return false;
    if (!this.splits.every((select) => select.value === "0" || pairs.levels[select.dataset.split][pair] === Number(select.value))) {
      return false;
    }
    const status = pairs.status(method, pair);
    const wanted = byId("pick-status").value;
    if (wanted === "ok") return status === MADE;
    if (wanted === "failed") return status !== "" && status !== MADE;
    return wanted !== "unscored" || Number.isNaN(pairs.value(metric, method, pair));
  }

  update() {
    const { pairs, metric, method } = this;
    const order = byId("pick-order");
    this.text = byId("pick-text").value.trim().toLowerCase();
    const all = [...Array(pairs.count).keys()].filter((pair) => this.keeps(pair));
    this.listed = all;
    if (metric !== null) {
      const { direction } = pairs.metrics[metric];
      // Of a set's number nobody can say which pair is good.
      for (const option of order.options) {
        if (option.value === "worst") option.textContent = direction ? "worst first" : "lowest first";
        if (option.value === "best") option.textContent = direction ? "best first" : "highest first";
      }
      if (order.value !== "run") {
        const key = (pair) => {
          const value = pairs.value(metric, method, pair);
          return Number.isFinite(value) ? value : null;
        };
        this.listed = ordered(all, key, bestFalls(direction ?? "up") === (order.value === "best"));
      }
      this.explain(metric);
      drawStrips(byId("strips"), pairs, metric, this.methods, method, all, (one) => this.pick(one));
    } else byId("strips").hidden = true;
    this.page = 0;
    this.show();
  }

  explain(metric) {
    const { direction, calibration, whole } = this.pairs.metrics[metric];
    const words = [`${this.pairs.heading(metric)}.`];
    if (direction) words.push(`${direction === "up" ? "Higher" : "Lower"} is better.`);
    if (whole) words.push("Its number belongs to all swaps together; of single pairs there is what it is computed from.");
    if (calibration) words.push(`Calibration: ${calibration}.`);
    words.push("Bars: how many pairs have which number, in colour those that are listed below; the line is their mean.");
    byId("about-metric").textContent = words.join(" ");
  }

  show() {
    const start = this.page * PAGE;
    const shown = this.listed.slice(start, start + PAGE);
    const n = this.listed.length;
    const some = n === 1 ? "1 pair" : `${start + 1} to ${start + shown.length} of ${n} pairs`;
    const all = n === this.pairs.count ? "" : ` that ${n === 1 ? "fits" : "fit"} (${this.pairs.count} in all)`;
    byId("count").textContent = n ? `${some}${all}` : "No pair fits.";
    for (const pager of document.querySelectorAll(".pager")) {
      pager.hidden = this.pages === 1;
      pager.querySelector(".back").disabled = this.page === 0;
      pager.querySelector(".on").disabled = this.page === this.pages - 1;
      pager.querySelector(".at").textContent = `page ${this.page + 1} of ${this.pages}`;
    }
    byId("gallery").replaceChildren(...shown.map((pair) => this.card(pair)));
  }

  card(pair) {
    const { pairs, metric, method } = this;
    const name = pairs.pairs[pair];
    const by = pairs.methods[method].name;
    const card = make("button", "pair");
    card.type = "button";
    card.dataset.pair = name;
    if (pairs.tiles) {
      const row = make("span", "row");
      row.append(
        pairs.picture(pair, pairs.tiles.source, "source"),
        pairs.picture(pair, pairs.tiles.target, "target"),
        pairs.picture(pair, pairs.tiles.swaps[method], `swap by ${by}`, this.without(method, pair)),
      );
      card.append(row);
    }
    const caption = make("span", "caption");
    caption.append(make("span", "", name));
    if (metric !== null) caption.append(make("span", "number", pairs.words(metric, pairs.value(metric, method, pair))));
    card.append(caption);
    card.addEventListener("click", () => this.open(pair));
    return card;
  }

  // Why there is no picture of a swap.
  without(method, pair) {
    const status = this.pairs.status(method, pair);
    return status === MADE || status === "" ? "no picture" : `no swap: ${status}`;
  }
}
