// A measure of reads over t, from noise to data: of the shares that the reader chose, |A| / Σ|A| or
// the softmax weights.
FIGURES.time = (data, look, { array, axis }) => {
  const name = array.replace("routing", look.shares);
  const curves = seenIn(data, look, name).map((entry) => {
    const held = entry.arrays[name];
    return [entry, held.axes.t.map((t, at) => pointWith(t, at, held))];
  });
  const of = look.shares === "softmax" ? "softmax weights" : "|A| / Σ|A|";
  return {
    traces: linesOfEntries(curves),
    layout: { xaxis: timeAxis(), yaxis: { title: { text: escaped(axis) }, automargin: true } },
    shown: curves.length,
    note: `shares: ${of}; ${seedsNote(curves)}`,
    tables: [{
      caption: `Of ${of}; means over sites, and over seeds.`,
      columns: ["Variant", "t (0 noise, 1 data)", axis, "Spread", "Seeds"],
      rows: curves.flatMap(([entry, points]) => points.map((point) =>
        [entry.title, Number(point.x.toFixed(3)), significant(point.mean, 4),
          ...spreadCells(point), entry.seeds])),
    }],
  };
};

const timeAxis = () => ({
  title: { text: "t" }, range: [-0.04, 1.04], zeroline: false,
  tickvals: [0, 0.25, 0.5, 0.75, 1], ticktext: ["0 noise", "0.25", "0.5", "0.75", "1 data"],
});
