// Order, scores and effects of any chosen entries at any budget, as board/order.py and rank.py
// compute them for the whole section. Verdicts and tiers are of the section's family, and not
// recomputed.

// chosen: names of entries, all where it is not given. Each is compared with the `add` that it has
// in the whole section; scores are ratios to the first chosen entry that may be a reference.
function rescore(data, { budget = data.budget, chosen = null, axis = "flops" } = {}) {
  const metric = data.rank_by, entries = entriesAt(data, budget, axis);
  const kept = entries.filter((entry) => chosen === null || chosen.includes(entry.name));
  const reference = referenceOf(kept, metric);
  const rows = kept.map((entry) => {
    const base = baseline(entry, entries, metric);
    const score = reference && scoreOf(entry, reference, metric);
    return scored(entry, base, score, data.metrics);
  });
  rows.sort((one, two) => compare(placeOf(one, metric), placeOf(two, metric)));
  return { reference: reference && reference.name, rows: ranked(rows) };
}

function scored(entry, base, score, metrics) {
  const of = (value) => Object.fromEntries(metrics.map((metric) => [metric, value(metric)]));
  return {
    entry, score,
    name: entry.name,
    against: base && base.name,
    means: of((metric) => meanOf(entry, metric)),
    effects: of((metric) => effectOf(entry, base, metric)),
  };
}

function effectOf(entry, base, metric) {
  if (base === null) return null;
  if (base !== entry) return judgedEffect(entry, base, metric);
  const n = done(entry, metric).length;
  return n ? { mean: 0, low: null, high: null, n, p: null } : null;
}

function ranked(rows) {
  return rows.map(({ entry, ...row }, place) => ({
    ...row, rank: row.score === null ? null : place + 1,
  }));
}

// A sort key: ranked entries by score, then controls, provisional, search-only and stale ones. A
// control that has not finished its seeds stands below the entries that have not.
function placeOf({ entry, score, effects }, metric) {
  const waiting = done(entry, metric).length < entry.required.length;
  const current = entry.control ? (waiting ? 3 : 1) : score === null ? 2 : 0;
  const group = entry.stale ? 5 : entry.split === "search" ? 4 : current;
  const value = score ?? effects[metric]?.mean ?? Infinity;
  return [group, value, entry.label, entry.name];
}

function compare(one, two) {
  const at = one.findIndex((part, i) => part !== two[i]);
  if (at < 0) return 0;
  return (typeof one[at] === "string" ? before(one[at], two[at]) : one[at] < two[at]) ? -1 : 1;
}

// Whether a text comes first by code points, as Python orders them, and not by UTF-16.
function before(one, two) {
  const [a, b] = [one, two].map((text) => Array.from(text, (point) => point.codePointAt(0)));
  const at = a.findIndex((point, i) => point !== b[i]);
  return at < 0 ? a.length < b.length : at >= b.length ? false : a[at] < b[at];
}
