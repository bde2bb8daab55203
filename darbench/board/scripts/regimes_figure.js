// Where routing pays: the effect of every variant on every ground, against the add of that ground.
// What is resolved stands in full colour and has an arrow; of the rest the colour is pale.
const BETTER_WORSE = [[0, "#6aaef0"], [0.5, "#f1f3f5"], [1, "#f2a06a"]];

FIGURES.regimes = ({ axes, grounds, entries, cells }) => {
  const x = grounds.map((values) => escaped(values.join(" · ")));
  const y = entries.map(({ title }) => escaped(title));
  const all = cells.flat().filter(Boolean);
  const reach = Math.max(0.001, ...all.map(({ effect }) => Math.abs(effect)));
  const where = (resolved, told, other) => cells.map((row) =>
    row.map((cell) => (cell?.resolved === resolved ? told(cell) : other)));
  const layer = (resolved, opacity) => ({
    type: "heatmap", x, y, opacity, z: where(resolved, ({ effect }) => effect, null),
    zmin: -reach, zmax: reach, colorscale: BETTER_WORSE, showscale: false, xgap: 2, ygap: 2,
    hoverongaps: false, hoverinfo: "skip",
  });
  const resolved = { ...layer(true, 1), text: where(true, textOf, ""), texttemplate: "%{text}" };
  resolved.textfont = { color: "#16191c" }; // on light colours, in either theme
  const places = cells.flatMap((row, i) => row.flatMap((cell, j) =>
    (cell ? [{ cell, x: x[j], y: y[i] }] : [])));
  const measured = cells.filter((row) => row.some(Boolean)).length;
  return {
    traces: [layer(false, 0.3), resolved, pointsAt(places)],
    layout: {
      width: Math.max(320, 190 + 62 * x.length),
      height: 60 + 34 * y.length + 9 * Math.max(...x.map((label) => label.length)),
      margin: { l: 8, r: 12, t: 8, b: 8 },
      xaxis: {
        type: "category", tickangle: -90, automargin: true, showgrid: false, ticks: "",
        title: { text: escaped(axes.join(" · ")) },
      },
      yaxis: {
        type: "category", autorange: "reversed", automargin: true, showgrid: false, ticks: "",
      },
    },
    shown: measured,
    note: `${all.filter(({ resolved }) => resolved).length} of ${all.length} effects are resolved`,
    tables: [{
      caption: "Effects against the add of the same ground; resolved by the p value of the " +
        "ground’s own leaderboard.",
      columns: ["Variant", ...axes, "Effect", "95 % interval", "Seeds", "Resolved"],
      texts: [...axes, "Resolved"],
      rows: cells.flatMap((row, i) => row.flatMap((cell, j) =>
        (cell ? [[entries[i].title, ...grounds[j], ...effectCells(cell)]] : []))),
    }],
  };
};

const textOf = ({ effect, resolved }) =>
  (resolved ? (effect < 0 ? "▼ " : "▲ ") : "") + percent(effect).replace(" %", "");

// What is not resolved is written in the colour of the page; of every cell more is told on hover.
function pointsAt(places) {
  return {
    x: places.map(({ x }) => x),
    y: places.map(({ y }) => y),
    text: places.map(({ cell }) => (cell.resolved ? "" : textOf(cell))),
    customdata: places.map(({ cell }) => effectCells(cell)),
    mode: "text",
    hovertemplate: "%{y}<br>%{x}<br>%{customdata[0]} %{customdata[1]}, n = %{customdata[2]}" +
      "<extra></extra>",
  };
}

function effectCells({ effect, low, high, n, resolved }) {
  const interval = low === null ? NO_VALUE : `[${percent(low)}, ${percent(high)}]`;
  const side = effect < 0 ? "better" : "worse";
  return [percent(effect), interval, n, resolved ? side : NO_VALUE];
}
