// What happens when the page opens.

function startTheme() {
  const button = byId("theme");
  const system = matchMedia("(prefers-color-scheme: dark)");
  const root = document.documentElement;
  const dark = () => (root.dataset.theme ? root.dataset.theme === "dark" : system.matches);
  const name = () => {
    button.textContent = dark() ? "Light" : "Dark";
    button.setAttribute("aria-label", `Switch to ${dark() ? "light" : "dark"} colours`);
  };
  button.addEventListener("click", () => {
    root.dataset.theme = dark() ? "light" : "dark";
    name();
  });
  system.addEventListener("change", name);
  name();
}

function startPairs() {
  const pairs = readPairs();
  if (typeof pairs === "string") {
    byId("no-pairs").textContent = pairs;
    byId("no-pairs").hidden = false;
    return null;
  }
  if (!pairs.count) return null;
  const gallery = new Gallery(pairs, (pair) => viewer.open(pair));
  const viewer = new Viewer(pairs, gallery);
  return gallery;
}

byId("bar").hidden = false;
startTheme();
startTables();
// The pairs may come from a file beside the page, which has been read by then.
addEventListener("DOMContentLoaded", () => {
  const gallery = startPairs();
  startMethods((hidden) => gallery?.restrict(hidden));
});
