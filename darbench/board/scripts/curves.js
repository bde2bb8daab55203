// A metric over training FLOPs, both logarithmic: means over seeds, bands from lowest to highest.
FIGURES.curves = (data, { hidden }, { metric, title, digits }) => {
  const entries = drawnEntries(data).filter((entry) => !hidden.has(entry.name));
  const drawn = entries.map((entry) => [entry, pointsOf(entry, metric)])
    .filter(([, points]) => points.length);
  const bands = drawn.filter(([, points]) => points.some(({ seeds }) => seeds > 1));
  return {
    traces: [...bands.map((band) => bandOf(band, 0.3 / (2 + bands.length))), ...drawn.map(lineOf)],
    layout: curvesLayout(data.budget, title),
    shown: drawn.length,
    table: {
      caption: "Mean over seeds, in brackets the lowest and the highest.",
      columns: ["Variant", "Training FLOPs", "Mean", "Range", "Seeds"],
      rows: drawn.flatMap(([entry, points]) => points.map((p) => pointRow(entry, p, digits))),
    },
  };
};

// The entries that have a line, in the order of the page.
function drawnEntries(data) {
  return data.entries.filter((entry) => entry.style).sort((one, two) => one.place - two.place);
}

// The points of an entry's curve: mean, lowest and highest value of its seeds at each checkpoint.
function pointsOf(entry, metric) {
  const at = new Map();
  for (const { flops, metrics } of trialsOf(entry)) {
    flops.forEach((x, i) => {
      if (metrics[metric][i] > 0) at.set(x, [...(at.get(x) ?? []), metrics[metric][i]]);
    });
  }
  return [...at].sort(([one], [two]) => one - two).map(([x, values]) => ({
    flops: x, mean: mean(values), low: Math.min(...values), high: Math.max(...values),
    seeds: values.length,
  }));
}

// The more bands lie over each other, the less each of them covers.
function bandOf([entry, points], opacity) {
  const there = points.map(({ flops }) => flops), back = there.toReversed();
  const channels = [1, 3, 5].map((i) => parseInt(entry.style.colour.slice(i, i + 2), 16));
  return {
    x: [...there, ...back],
    y: [...points.map(({ high }) => high), ...points.map(({ low }) => low).toReversed()],
    fill: "toself",
    fillcolor: `rgba(${channels}, ${opacity})`,
    line: { width: 0 },
    mode: "lines",
    hoverinfo: "skip",
  };
}

function lineOf([entry, points]) {
  return {
    x: points.map(({ flops }) => flops),
    y: points.map((point) => point.mean),
    customdata: points.map(({ low, high, seeds }) => [low, high, seeds]),
    name: escaped(entry.title),
    mode: "lines+markers",
    line: { color: entry.style.colour, dash: entry.style.dash, width: 2 },
    marker: { size: 6 },
    hovertemplate: "%{y:.4g} at %{x:.3g} FLOPs<br>%{customdata[0]:.4g} to " +
      "%{customdata[1]:.4g} over %{customdata[2]} seeds",
  };
}

function pointRow(entry, { flops, mean, low, high, seeds }, digits) {
  const range = [low, high].map((value) => significant(value, digits)).join(", ");
  return [entry.title, power(flops), significant(mean, digits), `[${range}]`, seeds];
}

function curvesLayout(budget, title) {
  const halvings = budget ? [0, 1, 2, 3, 4, 5].map((k) => budget / 2 ** k) : [];
  const ticks = budget ? { tickvals: halvings, ticktext: halvings.map(power) } : {};
  const line = { width: 1, dash: "dot", color: "#868e96" };
  const at = { type: "line", x0: budget, x1: budget, yref: "paper", y0: 0, y1: 1, line };
  return {
    xaxis: { type: "log", title: { text: "training FLOPs" }, ...ticks },
    yaxis: { type: "log", title: { text: escaped(title) }, automargin: true, nticks: 8 },
    shapes: budget ? [at] : [],
  };
}
