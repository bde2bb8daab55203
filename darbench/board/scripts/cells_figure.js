// The effect over any two parameters: the entries of a cell are averaged, as ratios to add are.
FIGURES.cells = (data, look) => {
  const { parameters } = data, { x, y, fixed, others } = crossed(data, look);
  const found = measuredIn(data, look, [x, y, ...fixed.map(([parameter]) => parameter)])
    .filter(({ place }) => fixed.every(([{ at }, level]) => at[place] === level));
  const averaged = others.filter(({ at }) => new Set(found.map(({ place }) => at[place])).size > 1);
  const cells = y.levels.map((row, i) => x.levels.map((column, j) =>
    averageOf(found.filter(({ place }) => y.at[place] === i && x.at[place] === j))));
  const full = cells.flat().filter(Boolean), titles = (all) => all.map(({ title }) => title).join(", ");
  const notes = [
    averaged.length ? `averaged over ${titles(averaged)}` : "",
    ...fixed.map(([{ title, levels }, level]) => `${title} ${levels[level]}`),
    `${full.length} of ${x.levels.length * y.levels.length} cells have an entry`,
    parameters.length > 1 && x === y ? "one parameter across and down: choose another" : "",
  ];
  return {
    traces: cellTraces(x, y, cells),
    layout: cellLayout(x, y),
    shown: found.length,
    note: notes.filter(Boolean).join("; "),
    tables: [{
      caption: "Effects against add; of several entries the geometric mean, with the lowest and " +
        "the highest of them.",
      columns: [y.title, x.title, "Effect", "Range", "Entries"],
      texts: [x.title],
      rows: cells.flatMap((row, i) => row.map((cell, j) =>
        [y.levels[i], x.levels[j], ...cellWords(cell)])),
    }],
  };
};

// The two parameters that are shown, the levels at which some are held, and the others.
function crossed({ parameters }, { choices }) {
  const x = parameters[choices.x], y = parameters[choices.y];
  const others = parameters.filter((each) => each !== x && each !== y);
  const level = ({ name }) => choices[name] - 1; // the first choice is to average
  return {
    x, y,
    fixed: others.filter((each) => level(each) >= 0).map((each) => [each, level(each)]),
    others: others.filter((each) => level(each) < 0),
  };
}

// The entries that have an effect at the budget, and all of these parameters.
function measuredIn(data, { budget }, parameters) {
  const entries = new Map(data.entries.map((entry) => [entry.name, entry]));
  return rankingOnce(data, budget).rows
    .map(({ name, effects }) => ({ ...entries.get(name), effect: effects[data.rank_by] }))
    .filter(({ stale, control, add, effect }) => effect && !stale && !control && !add)
    .filter(({ place }) => data.ranking.kept.has(place))
    .filter(({ place }) => parameters.every(({ at }) => at[place] !== null));
}

function averageOf(entries) {
  if (!entries.length) return null;
  const effects = entries.map(({ effect }) => effect.mean);
  return {
    effect: Math.expm1(mean(effects.map(Math.log1p))), n: entries.length,
    low: Math.min(...effects), high: Math.max(...effects),
    titles: entries.slice(0, 3).map(({ title }) => title),
  };
}

function cellWords(cell) {
  if (!cell) return ["no entry", NO_VALUE, 0];
  const range = cell.n > 1 ? `[${percent(cell.low)}, ${percent(cell.high)}]` : NO_VALUE;
  return [percent(cell.effect), range, cell.n];
}

function cellTraces(x, y, cells) {
  const across = x.levels.map(escaped), down = y.levels.map(escaped);
  const effects = cells.flat().filter(Boolean).map(({ effect }) => Math.abs(effect));
  const reach = Math.max(0.001, ...effects);
  const text = cells.map((row) => row.map((cell) => {
    if (!cell) return "";
    return percent(cell.effect).replace(" %", "") + (cell.n > 1 ? ` (${cell.n})` : "");
  }));
  const empty = cells.flatMap((row, i) =>
    row.flatMap((cell, j) => (cell ? [] : [{ x: across[j], y: down[i] }])));
  return [
    {
      type: "heatmap", x: across, y: down, z: cells.map((row) => row.map((c) => c && c.effect)),
      zmin: -reach, zmax: reach, colorscale: BETTER_WORSE, showscale: false, xgap: 2, ygap: 2,
      text, texttemplate: "%{text}", textfont: { color: "#16191c" }, hoverongaps: false,
      customdata: cells.map((row) => row.map((c) =>
        [...cellWords(c), escaped((c?.titles ?? []).join(", ") + (c?.n > 3 ? " …" : ""))])),
      hovertemplate: "%{y}, %{x}<br>%{customdata[0]} %{customdata[1]}, " +
        "entries: %{customdata[2]}<br>%{customdata[3]}<extra></extra>",
    },
    {
      x: empty.map((cell) => cell.x), y: empty.map((cell) => cell.y), mode: "text",
      text: empty.map(() => "no entry"), hoverinfo: "skip",
    },
  ];
}

function cellLayout(x, y) {
  const axis = { type: "category", automargin: true, showgrid: false, ticks: "" };
  const list = (levels) => ({ categoryorder: "array", categoryarray: levels.map(escaped) });
  return {
    width: Math.max(320, 200 + 78 * x.levels.length),
    height: 110 + 38 * y.levels.length,
    margin: { l: 8, r: 12, t: 8, b: 8 },
    xaxis: { ...axis, ...list(x.levels), title: { text: escaped(x.title) } },
    yaxis: { ...axis, ...list(y.levels.toReversed()), title: { text: escaped(y.title) } },
  };
}

// A parameter that is shown is neither fixed nor averaged.
function showFixes(section) {
  const shown = ["x", "y"].map((axis) => section.querySelector(`[data-choice=${axis}]`)?.value);
  for (const label of section.querySelectorAll("[data-fixes]")) {
    label.hidden = shown.includes(label.dataset.fixes);
  }
}

document.addEventListener("input", ({ target }) => {
  if (target.dataset.choice) showFixes(sectionOf(target));
});
sectionsOf().forEach(showFixes);
