// What it costs an entry to be as good as the reference is at the section's budget.
FIGURES.target = (data, { hidden, axis: chosen }, { metric }) => {
  const axis = CONSTANT.includes(chosen) ? "flops" : chosen, costs = axisTitle(data, axis);
  const entries = entriesOnce(data, data.budget, "flops");
  const reference = entries.find(({ name }) => name === rankingOnce(data, data.budget).reference);
  const drawn = drawnIn(data, hidden);
  const found = entries.filter(({ name }) => reference && drawn.has(name)).map((entry) =>
    [drawn.get(entry.name), targetEffect(costsToTarget(entry, reference, metric, axis))]);
  const known = found.filter(([, effect]) => effect).sort(([, a], [, b]) => a.mean - b.mean);
  const trace = intervalTrace(known);
  trace.marker.symbol = known.map(([, { side }]) => SIDES[side]?.symbol ?? "circle");
  return {
    traces: [trace],
    layout: listLayout(known.length, escaped(`${costs} against ${reference?.title}, %`)),
    shown: known.length,
    note: reference ? undefined : NONE_RANKED,
    tables: [{
      caption: "What it takes to reach what the reference reaches at the section’s budget, " +
        "against what the reference takes, seed by seed. A seed that is not there by its last " +
        "checkpoint takes more than that, one that is there at its first takes less.",
      columns: ["Variant", "Seeds there", "Change", "95 % interval"],
      rows: known.map(([{ title }, effect]) => targetRow(title, effect)),
    }],
  };
};

const SIDES = {
  more: { symbol: "triangle-right", sign: "> " },
  less: { symbol: "triangle-left", sign: "< " },
  "": { symbol: "circle-open", sign: "about " },
};

function targetRow(title, { mean, low, high, n, there, side }) {
  const interval = low === null ? NO_VALUE : `[${percent(low)}, ${percent(high)}]`;
  return [title, `${there}/${n}`, (SIDES[side]?.sign ?? "") + percent(mean), interval];
}
