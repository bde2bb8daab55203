// Two entries against each other: paired effects at every budget, and what they are made of.

// The effect of one entry against another in each metric, at each budget at which all that rank
// were measured: as judged_effect of darbench/analysis/comparison.py.
function pairEffects(data, one, other) {
  const marks = marksOf(data), budgets = marks.length ? marks : [data.budget].filter(Boolean);
  return budgets.map((budget) => {
    const entries = entriesOnce(data, budget, "flops");
    const [a, b] = [one, other].map((name) => entries.find((entry) => entry.name === name));
    const of = (metric) => (measuredAlike(a, b, metric) ? judgedEffect(a, b, metric) : null);
    const effects = Object.fromEntries(data.metrics.map((metric) => [metric, of(metric)]));
    return { budget, effects };
  });
}

function pairTable(section, data, one, other) {
  const titleOf = (metric) =>
    section.querySelector(`[data-metric="${metric}"]`)?.dataset.title ?? metric;
  const written = (effect) => (effect
    ? `${effectLines(effect.mean, effect.low, effect.high, 1).join(" ")}, n = ${effect.n}`
    : NO_VALUE);
  return tableOf({
    caption: "Paired effect with its 95 % interval, as the geometric mean over the seeds that " +
      "both have; not corrected for how many pairs there are to look at.",
    columns: ["Training FLOPs", ...data.metrics.map((metric) => capital(titleOf(metric)))],
    rows: pairEffects(data, one, other).map(({ budget, effects }) =>
      [power(budget), ...data.metrics.map((metric) => written(effects[metric]))]),
  });
}

// What differs between two nested settings or two lists of facts, by dotted name.
function differingValues(one, other) {
  const [a, b] = [one, other].map((values) => new Map(flat(values, "")));
  const names = [...new Set([...a.keys(), ...b.keys()])].sort();
  return names.map((name) => [name, a.get(name) ?? NO_VALUE, b.get(name) ?? NO_VALUE])
    .filter(([, mine, theirs]) => mine !== theirs);
}

function flat(value, name) {
  if (value === null || typeof value !== "object" || Array.isArray(value)) {
    return [[name, typeof value === "string" ? value : JSON.stringify(value)]];
  }
  return Object.entries(value).flatMap(([key, each]) => flat(each, name ? `${name}.${key}` : key));
}
