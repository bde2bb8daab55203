// The ranking of a section: what board/columns.py wrote of it, and its rows in the page's order.
// The page holds the compact columns; all others are added when a reader asks for them.
const rankings = new Map();

function rankingOf(section) {
  if (!section.querySelector(".ranking")) return null;
  if (!rankings.has(section.id)) rankings.set(section.id, readRanking(section));
  return rankings.get(section.id);
}

async function readRanking(section) {
  const table = section.querySelector(".ranking"), rows = [...table.tBodies[0].rows];
  const { columns, values } = JSON.parse(await unpack(`${section.id}-table`));
  const variant = rows.map((row) => row.querySelector("a").textContent);
  const kept = new Set(rows.keys()); // the places of the rows that are shown
  return { table, head: table.tHead.rows[0], rows, columns, kept, values: { variant, ...values } };
}

// Show what the reader chose; numbers and ranks stay as they are.
async function showRanking(section) {
  const ranking = await rankingOf(section), state = stateOf(section);
  if (!ranking) return;
  showColumns(ranking, state.columns);
  const kept = showRows(ranking, state);
  showSort(ranking, state.sort);
  showTools(section, ranking, state, kept);
  const same = kept.length === ranking.kept.size && kept.every((at) => ranking.kept.has(at));
  ranking.kept = new Set(kept);
  for (const plot of section.querySelectorAll(".plot")) if (plot.parallel) draw(plot);
  if (!same) redrawSoon(section);
}

const columnsIn = ({ columns }, preset) => columns.filter(({ presets }) =>
  preset === "all" || presets.includes(PRESETS.includes(preset) ? preset : USUAL.columns));

function showColumns(ranking, preset) {
  const shown = new Set(columnsIn(ranking, preset).map(({ name }) => name));
  const full = ranking.head.cells.length > ranking.columns.length;
  if (!full && preset !== USUAL.columns) addColumns(ranking);
  [...ranking.head.cells].forEach(({ hidden, dataset }, at) => {
    const wanted = at > 0 && !shown.has(dataset.column); // what is written again is laid out again
    if (hidden === wanted) return;
    for (const row of [ranking.head, ...ranking.rows]) row.cells[at].hidden = wanted;
  });
}

// Pinned entries stand first, whatever else is chosen. Returns the entries that are shown.
function showRows(ranking, state) {
  const pins = wordsOf(state.pins), { rows, table } = ranking;
  const pinned = rows.map(({ dataset }) => pins.includes(dataset.entry));
  const order = orderOf(ranking, state.sort);
  const kept = order.filter((at) => pinned[at] || isKept(ranking, at, state));
  const first = kept.filter((at) => pinned[at]);
  const seen = new Set(kept);
  rows.forEach((row, at) => {
    if (row.hidden === seen.has(at)) row.hidden = !row.hidden;
    showPin(row, pinned[at], pins.length < MOST_PINS);
  });
  arrange(table, [...new Set([...first, ...order])].map((at) => rows[at]));
  table.classList.toggle("resorted", state.sort !== "" || first.length > 0);
  return [...first, ...kept.filter((at) => !pinned[at])];
}

function arrange(table, rows) {
  const [body] = table.tBodies, focus = document.activeElement; // what is moved loses it
  if (rows.every((row, at) => row === body.rows[at])) return;
  body.append(...rows);
  if (table.contains(focus)) focus.focus({ preventScroll: true });
}

function showPin(row, pinned, room) {
  const button = row.querySelector(".pin");
  row.classList.toggle("pinned", pinned);
  if (button.ariaPressed === String(pinned) && button.disabled === (!pinned && !room)) return;
  button.ariaPressed = pinned;
  button.disabled = !pinned && !room;
  button.title = button.disabled ? `${MOST_PINS} are pinned: take the pin of another away` : "";
}

// Assistive technology is told of the first heading that sorts, the eye of all.
function showSort({ head }, sort) {
  const keys = wordsOf(sort).map(sortKey);
  for (const heading of head.cells) {
    const at = keys.findIndex(({ name }) => name === heading.dataset.column);
    const way = at < 0 ? "" : `${keys[at].down ? "▼" : "▲"}${keys.length > 1 ? at + 1 : ""}`;
    heading.querySelector(".sort").dataset.way = way;
    if (at) heading.removeAttribute("aria-sort");
    else heading.setAttribute("aria-sort", keys[0].down ? "descending" : "ascending");
  }
}

// Put the columns that the page does not hold between those that it does.
function addColumns(ranking) {
  const { head, rows, columns } = ranking;
  const places = new Map([...head.cells].map((each, place) => [each.dataset.column, place]));
  const ordered = (row, make) => row.append(...columns.map((column) => {
    const place = places.get(column.name);
    return place === undefined ? make(column) : cells[place];
  }));
  let cells = [...head.cells];
  ordered(head, headingOf);
  rows.forEach((row, at) => {
    cells = [...row.cells];
    ordered(row, (column) => cellOf(column, linesOf(ranking, column, at)));
  });
}

function headingOf({ name, title }) {
  const heading = made("th", title);
  heading.setAttribute("scope", "col");
  heading.dataset.column = name;
  return sortable(heading);
}

function cellOf({ kind }, [first, ...others]) {
  const node = cell("td", first, kind === "text");
  node.append(...others.map((text) => made("small", text)));
  return node;
}

function buttonOf(kind, ...children) {
  const button = made("button", ...children);
  Object.assign(button, { type: "button", className: kind });
  return button;
}

function sortable(heading) {
  heading.replaceChildren(buttonOf("sort", ...heading.childNodes));
  return heading;
}

function pinnable(row) {
  const link = row.querySelector("a"), button = buttonOf("pin", "pin");
  row.dataset.entry = link.hash.replace(/^#s\d+-e/, "");
  Object.assign(button, { ariaPressed: "false", ariaLabel: `Pin ${link.textContent}` });
  row.querySelector(".entry").append(button);
}

document.querySelectorAll(".ranking thead th").forEach(sortable);
document.querySelectorAll(".ranking tbody tr").forEach(pinnable);
