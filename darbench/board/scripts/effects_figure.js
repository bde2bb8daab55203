// Effects at the chosen budget, in the order that entries have there.
FIGURES.effects = (data, { hidden, budget }, { metric }) => {
  const { rows } = rankingOnce(data, budget), drawn = drawnIn(data, hidden);
  const effect = ({ effects }) => effects[metric];
  const shown = rows.filter((row) => drawn.has(row.name) && effect(row));
  return {
    traces: [intervalTrace(shown.map((row) => [drawn.get(row.name), effect(row)]))],
    layout: listLayout(shown.length, "against add, %"),
    shown: shown.length,
    tables: [{
      caption: "All entries, in their order at this budget. Intervals are of one entry each; " +
        "nothing is tested here.",
      columns: ["Variant", "Rank", "Score", "Effect", "95 % interval", "Seeds"],
      rows: rows.map((row) => effectRow(titleOf(data, row.name), row, effect(row))),
    }],
  };
};

const drawnIn = (data, hidden) =>
  new Map(drawnEntries(data).filter(({ name }) => !hidden.has(name)).map((e) => [e.name, e]));

const titleOf = (data, name) => data.entries.find((entry) => entry.name === name).title;

function effectRow(title, { rank, score }, effect) {
  const interval = effect && effect.low !== null
    ? `[${percent(effect.low)}, ${percent(effect.high)}]` : NO_VALUE;
  return [title, rank ?? NO_VALUE, significant(score, 4), effect ? percent(effect.mean) : NO_VALUE,
    interval, effect?.n ?? 0];
}

// Means as dots with intervals, one below the other in the order given.
function intervalTrace(pairs) {
  const end = ({ low, high, mean }, at) => 100 * ((at === "low" ? low : high) ?? mean);
  return {
    x: pairs.map(([, effect]) => 100 * effect.mean),
    y: pairs.map((pair, place) => place),
    text: pairs.map(([entry]) => escaped(entry.title)),
    error_x: {
      type: "data", symmetric: false, thickness: 1.5, width: 3, color: "#868e96",
      array: pairs.map(([, effect]) => end(effect, "high") - 100 * effect.mean),
      arrayminus: pairs.map(([, effect]) => 100 * effect.mean - end(effect, "low")),
    },
    mode: "markers+text",
    textposition: "top center",
    cliponaxis: false,
    marker: { size: 8, color: pairs.map(([entry]) => entry.style.colour) },
    hovertemplate: "%{text}: %{x:.2f} %<extra></extra>",
  };
}

function listLayout(count, title) {
  return {
    height: Math.max(260, 90 + 34 * count),
    xaxis: { title: { text: title }, zeroline: true },
    yaxis: { autorange: false, range: [Math.max(count, 1) - 0.4, -0.9], visible: false },
  };
}
