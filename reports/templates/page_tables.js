// Tables that a reader sorts and narrows down to some methods.

const collator = new Intl.Collator(undefined, { numeric: true });

// The key of a cell: its number, its words in a column of words, or nothing where it was not measured.
function keyOf(cell, text) {
  if (!cell) return null;
  if (text) return cell.textContent.trim();
  const number = cell.dataset.value === undefined ? parseFloat(cell.textContent) : Number(cell.dataset.value);
  return Number.isFinite(number) ? number : null;
}

// Items in order of their keys; those without one last, whatever the order, and equal ones as they were.
function ordered(items, key, descending) {
  const keyed = items.map((item) => [key(item), item]);
  keyed.sort(([a], [b]) => {
    if (a === null || b === null) return (a === null) - (b === null);
    const order = typeof a === "string" ? collator.compare(a, b) : a - b;
    return descending ? -order : order;
  });
  return keyed.map(([, item]) => item);
}

// Whether the first click sorts downwards: the best stands first, and words from a to z.
const bestFalls = (direction) => direction === "up";

class Sortable {
  constructor(table) {
    this.table = table;
    this.columns = table.dataset.sort === "columns";
    this.state = { head: null, turn: 0 };
    this.original = new Map([...table.querySelectorAll("tbody, tr, th, td")].map((one, index) => [one, index]));
    const heads = this.columns ? table.querySelectorAll("tbody th") : table.tHead.rows[0].cells;
    for (const head of heads) this.equip(head);
  }

  equip(head) {
    const button = make("button", "sort");
    button.type = "button";
    button.append(...head.childNodes);
    // The mark stands beside the title, not below the words under it.
    button.insertBefore(make("span", "mark"), button.querySelector(".words"));
    head.append(button);
    button.addEventListener("click", () => this.turn(head));
  }

  // Best first, then worst first, then as it was.
  turn(head) {
    const turn = this.state.head === head ? (this.state.turn + 1) % 3 : 1;
    this.state.head?.removeAttribute("aria-sort");
    this.state = { head: turn ? head : null, turn };
    const fallen = new Set();
    const falls = (direction) => {
      const descending = bestFalls(direction) !== (turn === 2);
      fallen.add(descending);
      return descending;
    };
    if (this.columns) this.sortColumns(head, turn, falls);
    else this.sortRows(head, turn, falls);
    const words = head.textContent.trim().replace(/\s+/g, " ");
    if (!turn) {
      say("The table stands as it was.");
      return;
    }
    head.setAttribute("aria-sort", fallen.size > 1 ? "other" : fallen.has(true) ? "descending" : "ascending");
    say(`Sorted by ${words}, ${head.dataset.kind === "text" ? "" : turn === 1 ? "best first" : "worst first"}`);
  }

  sorted(items, turn, key, descending) {
    return turn ? ordered(items, key, descending) : ordered(items, (item) => this.original.get(item), false);
  }

  sortRows(head, turn, falls) {
    const column = head.cellIndex;
    const text = head.dataset.kind === "text";
    const groups = [];
    for (const body of this.table.tBodies) {
      if (body.dataset.group !== undefined) {
        groups.push(body);
        continue;
      }
      // Rows move within their part of the table: reference rows are no competitors.
      const rows = [...body.rows].filter((row) => row.dataset.fixed === undefined);
      const descending = falls(text ? "" : (body.dataset.direction ?? head.dataset.direction));
      body.append(...this.sorted(rows, turn, (row) => keyOf(row.cells[column], text), descending));
    }
    if (!groups.length) return;
    const after = groups.at(-1).nextSibling;
    const key = (body) => keyOf(body.rows[0].cells[column], text);
    const descending = falls(text ? "" : head.dataset.direction);
    for (const body of this.sorted(groups, turn, key, descending)) this.table.insertBefore(body, after);
  }

  // Methods stand in columns: all rows follow the one that was clicked, references before the others.
  sortColumns(head, turn, falls) {
    const line = head.parentElement;
    const descending = falls(head.dataset.direction);
    const title = [...this.table.tHead.rows[0].cells].slice(1);
    const value = new Map([...line.cells].slice(1).map((cell) => [cell.dataset.method, keyOf(cell, false)]));
    const key = (cell) => value.get(cell.dataset.method);
    const [bounds, rivals] = [true, false].map((wanted) =>
      title.filter((cell) => (cell.dataset.reference !== undefined) === wanted),
    );
    const order = [bounds, rivals].flatMap((part) => this.sorted(part, turn, key, descending));
    const names = order.map((cell) => cell.dataset.method);
    for (const row of this.table.rows) {
      const cells = new Map([...row.cells].slice(1).map((cell) => [cell.dataset.method, cell]));
      row.append(...names.map((name) => cells.get(name)));
    }
  }
}

function startTables() {
  for (const table of document.querySelectorAll("table[data-sort]")) new Sortable(table);
  for (const hint of document.querySelectorAll(".hint")) hint.hidden = false;
}

// Which methods are shown, everywhere on the page; ``changed`` gets the names of those that are not.
function startMethods(changed) {
  const boxes = [...document.querySelectorAll("#bar input[type=checkbox]")];
  const summary = byId("chosen-methods");
  const show = () => {
    const hidden = new Set(boxes.filter((box) => !box.checked).map((box) => box.value));
    for (const element of document.querySelectorAll("main [data-method]")) {
      element.hidden = hidden.has(element.dataset.method);
    }
    const shown = boxes.length - hidden.size;
    summary.textContent = hidden.size ? `Methods: ${shown} of ${boxes.length} shown` : `Methods: all ${boxes.length}`;
    changed(hidden);
  };
  for (const box of boxes) {
    box.addEventListener("change", () => {
      // A page without any method says nothing.
      if (!boxes.some((one) => one.checked)) box.checked = true;
      show();
    });
  }
  byId("all-methods").addEventListener("click", () => {
    for (const box of boxes) box.checked = true;
    show();
  });
  show();
}
