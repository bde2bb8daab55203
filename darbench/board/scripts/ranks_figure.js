const NONE_RANKED = "no entry is ranked yet";

// Ranks over the budgets: lines that cross are entries that change places.
FIGURES.ranks = (data, { hidden }) => {
  const marks = marksOf(data), drawn = drawnIn(data, hidden);
  const rankings = marks.map((mark) => new Map(
    rankingOnce(data, mark).rows.map(({ name, rank }) => [name, rank])));
  const ranked = [...drawn.values()].filter(({ name }) => rankings.some((each) => each.get(name)));
  const ranksOf = ({ name }) => rankings.map((each) => each.get(name) ?? null);
  const last = Math.max(1, ...ranked.flatMap(ranksOf));
  return {
    traces: ranked.map((entry) => ({
      x: marks, y: ranksOf(entry), name: escaped(entry.title), mode: "lines+markers",
      line: { color: entry.style.colour, dash: entry.style.dash, width: 2 }, marker: { size: 8 },
      hovertemplate: "rank %{y} at %{x:.3g} FLOPs",
    })),
    layout: {
      xaxis: {
        type: "log", title: { text: "training FLOPs, % of the section’s budget" },
        ...sharesOf(marks),
      },
      yaxis: { title: { text: "rank" }, ...rankAxis(last) },
    },
    shown: ranked.length,
    note: rankings.some((each) => [...each.values()].some(Boolean)) ? undefined : NONE_RANKED,
    tables: [{
      caption: "Rank at each budget, of all entries that have one there.",
      columns: ["Variant", ...marks.map(power)],
      rows: ranked.map((entry) => [entry.title, ...ranksOf(entry).map((rank) => rank ?? NO_VALUE)]),
    }],
  };
};

// The first rank on top; of many ranks the first ones take most of the room.
function rankAxis(last) {
  if (last <= 24) return { type: "linear", range: [last + 0.5, 0.5], nticks: last + 1 };
  const ticks = [1, 2, 5, 10, 20, 50, 100, 200, 500].filter((rank) => rank <= last);
  return { type: "log", range: [Math.log10(last * 1.1), -0.05], tickvals: ticks };
}

// Ticks at marks that have room for their share of the last one.
function sharesOf(marks) {
  const apart = marks.filter((mark, i) => i === marks.length - 1 ||
    (marks.at(-1) / mark > 1.12 && marks[i + 1] / mark > 1.12));
  return { tickvals: apart, ticktext: apart.map((mark) => (100 * mark / marks.at(-1)).toFixed(0)) };
}
