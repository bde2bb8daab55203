// Entries at one budget and their comparison, seed by seed, as darbench/analysis/comparison.py and
// outcomes.py. What an entry holds is written by board/data.py.

// The entries, each trial with its `values` at the budget; null for one that did not get there. The
// budget is one of training FLOPs, or of another axis that trials were measured along.
function entriesAt(data, budget, axis = "flops") {
  const at = (entry, trial) => ({ ...trial, values: valuesAt(trial, entry.falls, budget, axis) });
  return data.entries.map((entry) => {
    const trials = entry.trials.map((trial) => at(entry, trial));
    return { ...entry, trials: trials.sort((one, two) => one.seed - two.seed) };
  });
}

function valuesAt(trial, falls, budget, axis) {
  if (!trial.ok || !budget) return null;
  const reached = trial[axis].findIndex((spent) => spent >= budget * (1 - 1e-9));
  // Where the learning rate falls nothing is interpolated.
  const value = (curve) =>
    falls ? curve[reached] ?? null : interpolateLog(trial[axis], curve, budget);
  return Object.fromEntries(Object.entries(trial.metrics).map(([m, curve]) => [m, value(curve)]));
}

function trialsOf(entry, split = entry.split) {
  return entry.trials.filter((trial) => trial.split === split);
}

const has = (trial, metric) => trial.values !== null && trial.values[metric] !== null;

function done(entry, metric, split) {
  return trialsOf(entry, split).filter((trial) => has(trial, metric)).map((trial) => trial.seed);
}

const within = (seeds, others) => seeds.every((seed) => others.includes(seed));
const complete = (entry, metric) => within(entry.required, done(entry, metric));

function ranks(entry, metric) {
  return !entry.stale && !entry.control && entry.split !== "search" && complete(entry, metric);
}

// The mean of the trials that reached the budget; null if one of them lacks the metric.
function meanOf(entry, metric) {
  const reached = trialsOf(entry).filter((trial) => trial.values !== null);
  const whole = reached.length && reached.every((trial) => has(trial, metric));
  return whole ? mean(reached.map((trial) => trial.values[metric])) : null;
}

// The `add` that an entry is compared with; null without one.
function baseline(entry, others, metric) {
  if (entry.add && !entry.control) return entry;
  const recipe = (each) => each.model === entry.model && each.training === entry.training;
  const both = (each) => each.model === entry.model && each.predicts_data && entry.predicts_data;
  const model = entry.control ? entry.plain : entry.model;
  let adds = others.filter((each) => each.add && !each.stale && each !== entry);
  adds = adds.filter((each) => !complete(entry, metric) || serves(each, entry, metric));
  const twin = adds.find(recipe), kin = entry.add ? undefined : adds.find(both);
  adds = adds.filter((each) => !each.control && each.model === model);
  const same = adds.find((each) => each.training === entry.training);
  return twin ?? kin ?? same ?? adds[0] ?? null;
}

function serves(add, entry, metric) {
  return complete(add, metric) || within(entry.required, done(add, metric, entry.split));
}

// The entry that scores are ratios to: the first `add` that ranks, else the first entry; one that
// predicts the data only where there is none else.
function referenceOf(entries, metric) {
  const ranking = entries.filter((entry) => ranks(entry, metric))
    .sort((one, other) => one.predicts_data - other.predicts_data);
  return ranking.find((entry) => entry.add) ?? ranking[0] ?? null;
}

// The loss is clipped where data are predicted.
const measuredAlike = (entry, other, metric) =>
  metric !== "val_loss" || entry.predicts_data === other.predicts_data;

function scoreOf(entry, reference, metric) {
  if (!ranks(entry, metric) || !measuredAlike(entry, reference, metric)) return null;
  const effect = effectAgainst(entry, reference, metric);
  return effect && 1 + effect.mean;
}

function effectAgainst(entry, other, metric) {
  return pairedEffect(logDifferences(entry, other, metric));
}

// The log ratios of all whole pairs, by seed.
function logDifferences(entry, other, metric) {
  const theirs = new Map(trialsOf(other, entry.split).map((trial) => [trial.seed, trial]));
  const pairs = trialsOf(entry).map((trial) => [trial, theirs.get(trial.seed)]);
  const whole = pairs.filter(
    ([a, b]) => b && has(a, metric) && has(b, metric) && paired(a, b, entry.model === other.model),
  );
  const log = (trial) => Math.log(trial.values[metric]);
  return whole.map(([a, b]) => log(a) - log(b));
}

// Whether two trials of one seed shared all random numbers, wherever both were audited.
function paired(one, two, alike) {
  if (one.unsettled || two.unsettled) return false;
  for (const name in one.audits) {
    if (name === "audit_init" && !alike) continue;
    const ours = one.audits[name], theirs = two.audits[name];
    for (const step in ours) if (step in theirs && ours[step] !== theirs[step]) return false;
  }
  return true;
}

// The paired effect with as much as may be said of it: survivors have no interval, and p is of all
// declared seeds.
function judgedEffect(entry, base, metric) {
  const effect = effectAgainst(entry, base, metric);
  if (effect === null) return null;
  const theirs =
    base.split === entry.split ? base.required : trialsOf(base, entry.split).map((t) => t.seed);
  const common = entry.required.filter((seed) => theirs.includes(seed));
  if (!complete(entry, metric) || !within(common, done(base, metric, entry.split))) {
    return { ...effect, low: null, high: null, p: null };
  }
  const judged = effect.n === entry.required.length && entry.split !== "search";
  return judged ? effect : { ...effect, p: null };
}
