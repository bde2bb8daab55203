// The ranking of a section: what board/columns.py wrote of it, its rows in the page's order, and
// what the reader chose. The page holds the compact columns; all others are added when a reader
// asks for them.
const PLAIN = { columns: "compact" };
const rankings = new Map();

function rankingOf(section) {
  if (!rankings.has(section.id)) rankings.set(section.id, readRanking(section));
  return rankings.get(section.id);
}

async function readRanking(section) {
  const table = section.querySelector(".ranking"), [head] = table.tHead.rows;
  const rows = [...table.tBodies[0].rows];
  return { head, rows, ...JSON.parse(await unpack(`${section.id}-table`)) };
}

const chosenIn = (section) => ({ ...PLAIN, ...Object.fromEntries(
  [...section.querySelectorAll("[data-rank]")].map((each) => [each.dataset.rank, each.value])) });

async function showRanking(section) {
  const ranking = await rankingOf(section);
  showColumns(ranking, chosenIn(section).columns);
}

const columnsIn = (columns, preset) =>
  columns.filter(({ presets }) => preset === "all" || presets.includes(preset));

function showColumns(ranking, preset) {
  const shown = new Set(columnsIn(ranking.columns, preset));
  const there = ranking.head.cells.length > ranking.columns.length;
  if (!there && preset !== PLAIN.columns) addColumns(ranking);
  const held = [...ranking.head.cells].slice(1).map(({ dataset }) => dataset.column);
  const hidden = held.map((name) => ![...shown].some((column) => column.name === name));
  for (const row of [ranking.head, ...ranking.rows]) {
    hidden.forEach((each, place) => { row.cells[place + 1].hidden = each; });
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
  return heading;
}

function cellOf({ kind }, [first, ...others]) {
  const node = cell("td", first, kind === "text");
  node.append(...others.map((text) => made("small", text)));
  return node;
}

document.addEventListener("input", ({ target }) => {
  if (target.dataset.rank) showRanking(sectionOf(target));
});
