// How the numbers of the pairs are spread: a histogram per method, all on one scale.

const BINS = 64;
const TALL = 24;

function range(columns) {
  let low = Infinity;
  let high = -Infinity;
  for (const values of columns) {
    for (const value of values ?? []) {
      if (Number.isFinite(value)) {
        low = Math.min(low, value);
        high = Math.max(high, value);
      }
    }
  }
  return low <= high ? [low, high] : null;
}

// How many of the pairs lie in each bin, and the mean of those that have a number.
function count(values, pairs, [low, high]) {
  const bins = new Array(BINS).fill(0);
  let sum = 0;
  let n = 0;
  for (const pair of pairs) {
    const value = values[pair];
    if (!Number.isFinite(value)) continue;
    bins[high > low ? Math.min(BINS - 1, Math.floor((BINS * (value - low)) / (high - low))) : 0] += 1;
    sum += value;
    n += 1;
  }
  return { bins, n, mean: sum / n };
}

const bars = (bins, most) =>
  bins
    .map((number, bin) => (number ? `M${bin} ${TALL}v${-(number / most) * (TALL - 1)}h1v${(number / most) * (TALL - 1)}z` : ""))
    .join("");

// Draw the strips of all visible methods; ``chosen`` are the pairs that are not filtered out.
function drawStrips(place, pairs, metric, methods, method, chosen, pick) {
  const columns = methods.map((one) => pairs.values(metric, one));
  const ends = range(columns);
  place.hidden = ends === null;
  if (ends === null) return;
  const everyone = [...Array(pairs.count).keys()];
  const lines = methods.map((one, index) => {
    const name = make("button", "name", pairs.methods[one].name);
    name.type = "button";
    name.title = pairs.methods[one].name;
    name.setAttribute("aria-pressed", String(one === method));
    name.addEventListener("click", () => pick(one));
    const picture = svg("svg", { viewBox: `0 0 ${BINS} ${TALL}`, preserveAspectRatio: "none", "aria-hidden": "true" });
    const values = columns[index];
    if (values === null) return [name, picture, make("span", "mean", "—")];
    const all = count(values, everyone, ends);
    const some = count(values, chosen, ends);
    const most = Math.max(...all.bins, 1);
    picture.append(svg("path", { class: "all", d: bars(all.bins, most) }), svg("path", { class: "some", d: bars(some.bins, most) }));
    if (!some.n) return [name, picture, make("span", "mean", "—")];
    const at = ends[1] > ends[0] ? (BINS * (some.mean - ends[0])) / (ends[1] - ends[0]) : 0.5;
    picture.append(svg("path", { class: "middle", d: `M${at} 0V${TALL}` }));
    const mean = make("span", "mean");
    mean.append(make("span", "word", "mean "), pairs.words(metric, some.mean));
    return [name, picture, mean];
  });
  const scale = make("span", "ends");
  scale.append(...ends.map((end) => make("span", "", pairs.words(metric, end))));
  place.replaceChildren(...lines.flat(), make("span"), scale, make("span"));
}
