// How a search went, and which parameters mattered in it.
const SPENT = [["trials", "trials of the search"], ["flops", "training FLOPs of the search"]];

FIGURES.trajectory = (data, { choices }, { title, digits }) => {
  const { searched, ranking } = data, [axis, spent] = SPENT[choices.spent];
  const titles = data.entries.toSorted((one, two) => one.place - two.place).map((e) => e.title);
  const shown = searched.filter(({ place }) => ranking.kept.has(place));
  const points = (of) => shown.filter((each) => each[of] !== null);
  const marks = (of, name, marker) => ({
    x: points(of).map((each) => each[axis]), y: points(of).map((each) => each[of]),
    text: points(of).map(({ place }) => escaped(titles[place])), mode: "markers", marker,
    hovertemplate: `%{text}<br>${name}: %{y:.4g}<extra></extra>`,
  });
  const best = searched.filter((each) => each.best !== null);
  return {
    traces: [
      {
        x: best.map((each) => each[axis]), y: best.map((each) => each.best), mode: "lines",
        line: { shape: "hv", width: 2, color: "#3a86d8" }, hoverinfo: "skip",
      },
      marks("value", "on the seeds of the search", { size: 7, color: "#868e96" }),
      marks("confirmed", "on fresh seeds", { size: 11, symbol: "diamond", color: "#e0772f" }),
    ],
    layout: {
      xaxis: { title: { text: spent }, rangemode: "tozero" },
      yaxis: { title: { text: escaped(title) }, automargin: true },
    },
    shown: shown.length,
    note: `${points("confirmed").length} ran on fresh seeds`,
    tables: [{
      caption: "In the order in which they ended. The best of many is better on the seeds that " +
        "picked it than on fresh ones.",
      columns: ["Variant", "Trials", "Training FLOPs", capital(title), "Best so far", "Fresh seeds"],
      rows: shown.map((each) => [titles[each.place], each.trials, power(each.flops),
        ...["value", "best", "confirmed"].map((of) => significant(each[of], digits))]),
    }],
  };
};

FIGURES.importances = ({ importances }) => {
  const weighed = importances.filter(({ shares }) => shares);
  const bars = weighed.flatMap(({ variant, trials, shares, chance }) =>
    Object.entries(shares).map(([name, share]) =>
      ({ variant, trials, name, share, chance: chance[name] })));
  const y = bars.map((bar) => escaped(`${bar.variant}: ${bar.name}`));
  const percents = (of) => bars.map((bar) => 100 * bar[of]);
  return {
    traces: [
      {
        type: "bar", orientation: "h", x: percents("share"), y, marker: { color: "#3a86d8" },
        hovertemplate: "%{y}: %{x:.0f} %<extra></extra>",
      },
      {
        x: percents("chance"), y, mode: "markers",
        marker: { symbol: "line-ns-open", size: 18, line: { width: 3 }, color: "#e0772f" },
        hovertemplate: "with its values shuffled at most %{x:.0f} %<extra></extra>",
      },
    ],
    layout: {
      height: 90 + 30 * bars.length,
      xaxis: { title: { text: "share of the importance, %" }, range: [0, 100] },
      yaxis: { type: "category", autorange: "reversed", automargin: true },
    },
    shown: bars.length,
    told: importances.map(({ variant, trials, reason }) =>
      `${variant}: ${reason || `from ${trials} configurations`}`).join("; "),
    tables: [{
      caption: "Shares of one variant are 100 % in all, whatever matters.",
      columns: ["Variant", "Parameter", "Importance", "With its values shuffled", "Configurations"],
      texts: ["Parameter"],
      rows: bars.map(({ variant, name, share, chance, trials }) =>
        [variant, name, ...[share, chance].map((each) => `${(100 * each).toFixed(0)} %`), trials]),
    }],
  };
};
