// A ranking as it is shown, as a text for a paper, a note or a table; and all of it as a file.
const COPIES = { markdown: markdownOf, latex: latexOf, csv: csvOfRanking };

async function copyRanking(button) {
  const section = sectionOf(button), ranking = await rankingOf(section);
  const kind = button.dataset.table;
  if (kind === "file") {
    const all = csvOfRanking(ranking, ranking.columns, [...ranking.rows.keys()]);
    return save(new Blob([all], { type: "text/csv" }), `${section.id}-ranking.csv`);
  }
  const shown = [...ranking.table.tBodies[0].rows].filter((row) => !row.hidden);
  const text = COPIES[kind](ranking, columnsIn(ranking, stateOf(section).columns),
    shown.map((row) => ranking.rows.indexOf(row)));
  await handOver(text, button);
}

async function handOver(text, button) {
  const title = (button.dataset.title ??= button.textContent), copied = button.parentElement.querySelector(".copied");
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = title; }, 2000);
  } catch {
    Object.assign(copied, { hidden: false, value: text }); // the keyboard shortcut is left
    copied.select();
  }
}

// The texts of the cells that are shown, below their headings.
function textsOf(ranking, columns, places) {
  const { variant } = ranking.values;
  return [["Variant", ...columns.map(({ title }) => title)], ...places.map((at) =>
    [variant[at], ...columns.map((column) => linesOf(ranking, column, at).join(" "))])];
}

function markdownOf(ranking, columns, places) {
  const safe = (text) => text.replace(/[\\`*_[\]<>|~]/g, "\\$&").replace(/\s+/g, " ");
  const line = (cells) => `| ${cells.join(" | ")} |\n`;
  const [head, ...rows] = textsOf(ranking, columns, places).map((cells) => cells.map(safe));
  return [head, ["---", ...columns.map(() => "---:")], ...rows].map(line).join("");
}

const LATEX = {
  "\\": "\\textbackslash{}", "~": "\\textasciitilde{}", "^": "\\textasciicircum{}",
  "−": "$-$", "±": "$\\pm$", "×": "$\\times$", "–": "--", "<": "$<$", ">": "$>$", "·": "$\\cdot$",
};

function latexOf(ranking, columns, places) {
  const safe = (text) => text.replace(/[\\~^−±×–<>·]|[{}$&#_%]/g, (c) => LATEX[c] ?? `\\${c}`);
  // A row that begins with one of these would say something to the end of the row above it.
  const first = (text) => text.replace(/^[[*]/, "{$&}");
  const line = (cells) => `${first(cells.map(safe).join(" & "))} \\\\\n`;
  const [head, ...rows] = textsOf(ranking, columns, places).map(line);
  return `\\begin{tabular}{l${"r".repeat(columns.length)}}\n\\toprule\n${head}\\midrule\n` +
    `${rows.join("")}\\bottomrule\n\\end{tabular}\n`;
}

// Numbers as they are held, without units: effects are fractions, as in `Leaderboard.frame`.
function csvOfRanking({ values }, columns, places) {
  const names = ["variant", ...columns.flatMap(({ name, beside }) => [name, ...beside])];
  const unique = [...new Set(names)];
  const written = (value) => (typeof value === "string" ? quoted(value) : String(value ?? ""));
  const rows = places.map((at) => unique.map((name) => written(values[name][at])));
  return [unique, ...rows].map((cells) => `${cells.join(",")}\r\n`).join("");
}

document.addEventListener("click", ({ target }) => {
  const button = target.closest("button[data-table]");
  if (button) copyRanking(button);
});
