// The Pareto front of entries that cost alike or less, with what chance leaves open.
//
// An entry stands on the front unless another one, that costs no more, is better: two-sided p of
// the paired t test over the seeds both have, below 0.05 shared by all pairs of the entries tried,
// which is the rule by which a tier opens. So all that belong on the front stand there together in
// 95 % of boards. One common seed tests nothing: who has no second one neither pushes an entry out
// nor stands. A noisy value that looks better is not shown to be, and leaves the others in place.
//
// The line is not of the lowest means, which are the luckiest, but of the lowest upper limits: at
// each cost it goes through the entry of which most is shown, with its interval against the
// reference, at 0.05 shared by all entries tried.
const FRONT_LEVEL = 0.05;

// points: [{ entry, cost }], the entries with their values at a budget. Returns the names of those
// that stand on the front.
function frontOf(points, metric, tried) {
  const able = points.filter(({ entry }) => ranks(entry, metric) && entry.required.length > 1);
  const level = FRONT_LEVEL / Math.max(1, (tried * (tried - 1)) / 2);
  const best = able.map((point) => [point, meanLog(point.entry, metric)])
    .sort(([, one], [, two]) => one - two).map(([point]) => point);
  const pushed = (point) => best.some((other) => other !== point &&
    other.cost <= point.cost * (1 + 1e-9) && isBetter(other.entry, point.entry, metric, level));
  return new Set(able.filter((point) => !pushed(point)).map(({ entry }) => entry.name));
}

const meanLog = (entry, metric) =>
  mean(trialsOf(entry).filter((trial) => has(trial, metric))
    .map(({ values }) => Math.log(values[metric])));

function isBetter(entry, other, metric, level) {
  const limits = limitsOf(logDifferences(entry, other, metric), level);
  return limits !== null && limits.high < 0;
}

// The mean of log differences and its t interval at a level; null of fewer than two.
function limitsOf(d, level) {
  if (d.length < 2) return null;
  const middle = mean(d), half = quantile(level, d.length - 1) * standardError(d, middle);
  return { mean: middle, low: middle - half, high: middle + half };
}

// Of each cost the entry of which most is shown among those that cost no more: its name, and mean
// and limits of its log ratio to the reference, whose own are 0. In the order of cost.
function shownBest(points, reference, metric, tried) {
  const level = FRONT_LEVEL / Math.max(1, tried - 1), none = { mean: 0, low: 0, high: 0 };
  const limits = points.filter(({ entry }) => ranks(entry, metric)).map(({ entry, cost }) => ({
    name: entry.name, cost,
    ...(entry.name === reference.name ? none
      : limitsOf(logDifferences(entry, reference, metric), level) ?? { high: Infinity }),
  }));
  limits.sort((one, two) => one.cost - two.cost || one.high - two.high);
  let best = { high: Infinity };
  return limits.flatMap((each) => {
    if (!(each.high < best.high)) return [];
    best = each;
    return [each];
  });
}
