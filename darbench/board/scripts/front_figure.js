// What a figure of curves shows of the front, and of the noise around the reference.

// The front at each budget along an axis that grows while an entry trains.
function frontAlong(data, axis, metric) {
  return once(data, `front ${axis} ${metric}`, () => marksOf(data, axis, metric).map((mark) => {
    const entries = entriesOnce(data, mark, axis);
    return stepOf(data, entries, mark, metric, () => mark);
  }));
}

// The front along an axis of which each entry has one number, at a budget of FLOPs: one step of it
// at every cost at which another entry leads.
function frontAt(data, { axis, budget }, metric) {
  return once(data, `front ${axis} ${metric} ${budget}`, () => {
    const entries = entriesOnce(data, budget, "flops").filter((entry) => entry[axis] > 0);
    const step = stepOf(data, entries, null, metric, (entry) => entry[axis]);
    return step.best.map((best) => ({ ...step, best: [best], mark: best.cost }));
  });
}

function stepOf(data, entries, mark, metric, costOf) {
  const { reference: name } = rankingOnce(data, data.budget);
  const reference = entries.find((entry) => entry.name === name);
  if (!reference) return { mark, best: [], standing: new Map(), able: 0, level: null, floor: null };
  const points = entries.map((entry) => ({ entry, cost: costOf(entry) }));
  const names = frontOf(points, metric, data.tried);
  const standing = points.filter(({ entry }) => names.has(entry.name)).map(({ entry, cost }) =>
    [entry.name, { title: entry.title, cost, mean: meanOf(entry, metric) }]);
  return {
    mark,
    best: shownBest(points, reference, metric, data.tried),
    standing: new Map(standing),
    able: entries.filter((entry) => ranks(entry, metric) && entry.required.length > 1).length,
    level: meanOf(reference, metric),
    floor: noiseFloor(entries, reference, metric),
  };
}

function floorTraces(steps) {
  const known = steps.filter(({ floor, level }) => floor !== null && level !== null);
  if (!known.length) return [];
  const ends = known.map(({ mark, level, floor }) =>
    [mark, level * Math.exp(-floor), level * Math.exp(floor)]);
  return [{ ...bandTrace(ends), fillcolor: "rgba(134, 142, 150, 0.45)" }];
}

const valuesOf = ({ level, best: [{ mean, low, high }] }) =>
  [mean, low, high].map((value) => level * Math.exp(value));

function frontTraces(steps, shape) {
  const known = steps.filter(({ best, level }) => best.length && level !== null);
  if (!known.length) return [];
  const ends = known.map((step) => [step.mark, ...valuesOf(step).slice(1)]);
  return [
    { ...bandTrace(ends), fillcolor: "rgba(124, 92, 255, 0.25)" },
    {
      x: known.map(({ mark }) => mark),
      y: known.map((step) => valuesOf(step)[0]),
      text: known.map(({ best: [{ name }], standing }) => escaped(standing.get(name)?.title ?? "")),
      name: "front",
      mode: "lines",
      line: { color: "#7c5cff", width: 3, shape },
      hovertemplate: "front %{y:.4g} at %{x:.3g}<br>most is shown of %{text}",
    },
  ];
}

// A ring around every shown entry that stands on the front.
function ringsOf(steps, names) {
  const rings = steps.flatMap(({ standing }) => [...standing].filter(([name]) => names.has(name)))
    .map(([, point]) => point);
  return {
    x: rings.map(({ cost }) => cost),
    y: rings.map(({ mean }) => mean),
    mode: "markers", hoverinfo: "skip",
    marker: { size: 12, color: "#7c5cff", symbol: "circle-open", line: { width: 1.5 } },
  };
}

function frontNote(steps) {
  const last = steps.at(-1);
  if (!last) return "";
  return `${last.standing.size} of ${last.able} stand on the front at the end`;
}

function frontTable(data, steps, { axis }, digits) {
  const titles = new Map(data.entries.map(({ name, title }) => [name, title]));
  const known = steps.filter(({ best, level }) => best.length && level !== null);
  return {
    caption: "The front: at each cost the entry of which most is shown, its value with the limits " +
      "that all entries tried share, how far chance alone moves an entry from the reference, and " +
      "who stands on the front because nobody that costs no more is shown to be better.",
    columns: [
      capital(axisTitle(data, axis)), "Most is shown of", "Value", "Limits", "Noise floor",
      "On the front",
    ],
    texts: ["Most is shown of", "On the front"],
    rows: known.map((step) => {
      const [mean, low, high] = valuesOf(step).map((value) => significant(value, digits));
      const best = titles.get(step.best[0].name), limits = `[${low}, ${high}]`;
      const noise = step.floor === null ? NO_VALUE
        : `± ${(100 * Math.expm1(step.floor)).toFixed(1)} %`;
      const names = [...step.standing.values()].map(({ title }) => title).join(", ");
      return [power(step.mark), best, mean, limits, noise, names];
    }),
  };
}
