// What an entry spends until it is as good as the reference at the section's budget, seed by seed.
// A seed that is not there by its last checkpoint is censored: it takes more than that. One that is
// there at its first checkpoint takes less than that.

// The log ratio of an entry's cost to the reference's, each with the side on which the truth lies
// ("" where it is known), one a seed that both have.
function costsToTarget(entry, reference, metric, axis) {
  const theirs = new Map(trialsOf(reference, entry.split).map((trial) => [trial.seed, trial]));
  const pairs = trialsOf(entry).map((trial) => [trial, theirs.get(trial.seed)]);
  const whole = pairs.filter(([a, b]) => b && a.ok && has(b, metric) &&
    paired(a, b, entry.model === reference.model));
  return whole.flatMap(([a, b]) => {
    const own = reaching(a, entry.falls, b.values[metric], metric, axis);
    const base = reaching(b, reference.falls, b.values[metric], metric, axis);
    return own && base ? [{ ratio: Math.log(own.cost / base.cost), side: own.side }] : [];
  });
}

// The cost at which a curve first comes down to a value. Between checkpoints it is interpolated in
// logs, but not where the learning rate falls: there it is the cost of the checkpoint.
function reaching(trial, falls, target, metric, axis) {
  const points = trial[axis].map((cost, i) => [cost, trial.metrics[metric][i]])
    .filter(([cost, value]) => cost > 0 && value > 0);
  if (!points.length) return null;
  const at = points.findIndex(([, value]) => value <= target * (1 + 1e-12));
  if (at < 0) return { cost: points.at(-1)[0], side: "more" };
  if (at === 0) return { cost: points[0][0], side: "less" };
  const [[x0, y0], [x1, y1]] = [points[at - 1], points[at]];
  const share = falls ? 1 : Math.min(1, Math.log(y0 / target) / Math.log(y0 / y1));
  return { cost: Math.exp(Math.log(x0) + share * Math.log(x1 / x0)), side: "" };
}

// Where all seeds are known, the paired effect on the cost; else the mean with censored seeds as
// they are, and the side of it on which the truth lies, "" where it may be either.
function targetEffect(costs) {
  const effect = pairedEffect(costs.map(({ ratio }) => ratio));
  if (effect === null) return null;
  const sides = [...new Set(costs.map(({ side }) => side).filter(Boolean))];
  const there = costs.filter(({ side }) => side !== "more").length;
  if (!sides.length) return { ...effect, there, side: null };
  return { ...effect, low: null, high: null, there, side: sides.length === 1 ? sides[0] : "" };
}
