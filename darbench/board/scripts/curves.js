// A metric over what it costs, both logarithmic. Along FLOPs, seconds and samples entries have
// curves: means over seeds, each seed, and bands from the lowest to the highest. Memory and
// parameters do not grow while an entry trains: there each is one point, at the chosen budget.
FIGURES.curves = (data, look, { metric, title, digits }) => {
  const constant = CONSTANT.includes(look.axis);
  const along = constant ? frontAt(data, look, metric) : frontAlong(data, look.axis, metric);
  const drawn = drawnEntries(data).filter((entry) => !look.hidden.has(entry.name))
    .map((entry) => [entry, constant ? pointAt(data, look, entry, metric)
      : pointsOf(entry, metric, look.axis)])
    .filter(([, points]) => points.length);
  const names = new Set(drawn.map(([entry]) => entry.name));
  return {
    traces: [
      ...(constant ? drawn.map(barsOf) : [...bandsOf(drawn), ...drawn.map(seedsOf(metric, look))]),
      ...(constant ? [] : floorTraces(along)),
      ...drawn.map(lineOf),
      ...frontTraces(along, constant ? "hv" : "linear"),
      ringsOf(along, names),
    ],
    layout: curvesLayout(data, look, metric, title),
    shown: drawn.length,
    note: frontNote(along),
    tables: [
      {
        caption: "Mean over seeds, in brackets the lowest and the highest.",
        columns: ["Variant", capital(axisTitle(data, look.axis)), "Mean", "Range", "Seeds"],
        rows: drawn.flatMap(([entry, points]) => points.map((p) => pointRow(entry, p, digits))),
      },
      frontTable(data, along, look, digits),
    ],
  };
};

// The entries that have a line, in the order of the page.
function drawnEntries(data) {
  return data.entries.filter((entry) => entry.style).sort((one, two) => one.place - two.place);
}

// The points of an entry's curve: mean, lowest and highest value of its seeds at each checkpoint.
function pointsOf(entry, metric, axis = "flops") {
  const at = new Map();
  for (const trial of trialsOf(entry)) {
    trial.flops.forEach((key, i) => {
      const [x, y] = [trial[axis][i], trial.metrics[metric][i]];
      if (x > 0 && y > 0) at.set(key, [...(at.get(key) ?? []), [x, y]]);
    });
  }
  return [...at].sort(([one], [two]) => one - two).map(([, pairs]) => pointOf(pairs));
}

function pointOf(pairs) {
  const values = pairs.map(([, y]) => y), [low, high] = [Math.min(...values), Math.max(...values)];
  return { cost: mean(pairs.map(([x]) => x)), mean: mean(values), low, high, seeds: values.length };
}

// The one point of an entry at a budget, where its cost does not grow; none if it is not there.
function pointAt(data, { budget, axis }, { name }, metric) {
  const entry = entriesOnce(data, budget, "flops").find((each) => each.name === name);
  const pairs = trialsOf(entry).filter((trial) => has(trial, metric))
    .map(({ values }) => [entry[axis], values[metric]]);
  return pairs.length && entry[axis] ? [pointOf(pairs)] : [];
}

// The more bands lie over each other, the less each of them covers.
function bandsOf(drawn) {
  const bands = drawn.filter(([, points]) => points.some(({ seeds }) => seeds > 1));
  return bands.map(([entry, points]) => ({
    ...bandTrace(points.map(({ cost, low, high }) => [cost, low, high])),
    fillcolor: faded(entry.style.colour, 0.2 / (1 + bands.length)),
  }));
}

// All seeds of an entry are one trace, a gap after each.
const seedsOf = (metric, { axis }) => ([entry]) => {
  const seeds = trialsOf(entry);
  return {
    x: seeds.flatMap((trial) => [...trial[axis], null]),
    y: seeds.flatMap((trial) => [...trial.metrics[metric], null]),
    mode: "lines", hoverinfo: "skip",
    line: { color: faded(entry.style.colour, 0.35), width: 0.8 },
  };
};

function lineOf([entry, points]) {
  return {
    x: points.map(({ cost }) => cost),
    y: points.map((point) => point.mean),
    customdata: points.map(({ low, high, seeds }) => [low, high, seeds]),
    name: escaped(entry.title),
    mode: "lines+markers",
    line: { color: entry.style.colour, dash: entry.style.dash, width: 2 },
    marker: { size: 6 },
    hovertemplate: "%{y:.4g} at %{x:.3g}<br>%{customdata[0]:.4g} to " +
      "%{customdata[1]:.4g} over %{customdata[2]} seeds",
  };
}

function barsOf([entry, [{ cost, low, high }]]) {
  const line = { color: faded(entry.style.colour, 0.6), width: 1.2 };
  return { x: [cost, cost], y: [low, high], mode: "lines", hoverinfo: "skip", line };
}

function pointRow(entry, { cost, mean, low, high, seeds }, digits) {
  const range = [low, high].map((value) => significant(value, digits)).join(", ");
  return [entry.title, power(cost), significant(mean, digits), `[${range}]`, seeds];
}

function curvesLayout(data, { axis }, metric, title) {
  const budget = axis === "flops" ? data.budget : null;
  const halvings = budget ? [0, 1, 2, 3, 4, 5].map((k) => budget / 2 ** k) : [];
  const ticks = budget ? { tickvals: halvings, ticktext: halvings.map(power) } : {};
  const dotted = { type: "line", line: { width: 1, dash: "dot", color: "#868e96" } };
  const target = targetValue(data, metric);
  return {
    xaxis: { type: "log", title: { text: escaped(axisTitle(data, axis)) }, ...ticks },
    yaxis: { type: "log", title: { text: escaped(title) }, automargin: true, nticks: 8 },
    shapes: [
      ...(budget ? [{ ...dotted, x0: budget, x1: budget, yref: "paper", y0: 0, y1: 1 }] : []),
      ...(target ? [{ ...dotted, y0: target, y1: target, xref: "paper", x0: 0, x1: 1 }] : []),
    ],
  };
}

// What the reference reaches at the section's budget; null without one.
function targetValue(data, metric) {
  const { reference, rows } = rankingOnce(data, data.budget);
  return rows.find(({ name }) => name === reference)?.means[metric] ?? null;
}
