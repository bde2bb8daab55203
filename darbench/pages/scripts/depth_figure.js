// An array over depth, at the chosen time if it has times.
FIGURES.depth = (data, look, { array, axis, log }) => {
  const curves = seenIn(data, look, array)
    .map((entry) => [entry, alongDepth(entry.arrays[array], look.time)]);
  const first = curves[0]?.[0].arrays[array], times = first?.axes.t;
  const depth = first && Object.keys(first.axes).find((name) => name !== "t");
  const t = times?.[Math.min(look.time, times.length - 1)];
  const where = { k: array.startsWith("routing") ? "site i" : "block k", j: "output v_j" }[depth];
  const read = array === "probe_r2" ? curves[0]?.[0].arrays.probe_r2_input?.values[0] : null;
  return {
    traces: linesOfEntries(curves),
    layout: {
      xaxis: { title: { text: where ?? "" }, zeroline: false },
      yaxis: { title: { text: escaped(axis) }, automargin: true, zeroline: false, nticks: 8,
        exponentformat: "power",
        ...(log ? { type: "log" } : {}) },
      shapes: read === null || read === undefined ? [] : [{
        type: "line", xref: "paper", x0: 0, x1: 1, y0: read, y1: read,
        line: { width: 1.5, dash: "dot", color: "#868e96" },
      }],
    },
    shown: curves.length,
    note: [...(times ? [timeTold(t)] : []), seedsNote(curves)].join("; "),
    tables: [{
      caption: `${times ? `At ${timeTold(t)}. ` : ""}${first?.log ? "Geometric means" : "Means"} ` +
        "over seeds; in brackets one standard deviation down and up.",
      columns: ["Variant", capital(where ?? "depth"), axis, "Spread", "Seeds"],
      rows: curves.flatMap(([entry, points]) => points.map((point) =>
        [entry.title, point.x, significant(point.mean, 4), ...spreadCells(point), entry.seeds])),
    }],
  };
};
