// Parallel coordinates of all entries of a ranking. A brush on an axis is a range of that column:
// the table and all figures keep the same entries.
FIGURES.parallel = (data, { ranges }) => {
  const { ranking } = data, axes = axesOf(ranking), kept = [...ranking.kept].sort((one, other) => one - other);
  return {
    draw: (plot) => drawParallel(plot, data, axes, ranges),
    shown: kept.length,
    note: axes.map((axis) => [axis, brushOf(axis, ranges)]).filter(([, brush]) => brush)
      .map(([axis, brush]) => `${axis.column.title} ${brushWords(axis, brush)}`).join("; "),
    tables: [{
      caption: "The entries that the ranking shows, by what they vary, and what they reach.",
      columns: ["Variant", ...axes.map(({ title }) => title)],
      texts: axes.filter(({ text }) => text).map(({ title }) => title),
      rows: kept.map((at) => [ranking.values.variant[at],
        ...axes.map(({ text, values }) => {
          const value = values[at];
          return value === null ? NO_VALUE : text ? value : briefly(value, 4);
        })]),
    }],
  };
};

// Drawn once for a width, then only changed: who drags a brush holds what he drags.
function drawParallel(plot, { ranking, families }, axes, ranges) {
  if (plot.parallel?.room !== plot.clientWidth) {
    const room = plot.clientWidth, { width, x } = spread(axes, room);
    const lines = linesOver(axes, x, ranking, families);
    const brushes = axes.map((axis, at) => brushParts(axis, x[at]));
    const label = `Parallel coordinates of ${ranking.rows.length} entries, a brush on every axis`;
    const svg = drawn("svg", {
      class: "parallel", width, height: FRAME.height, role: "group", "aria-label": label,
    });
    const own = drawn("g", { class: "lines" }, ...lines);
    svg.append(own, ...axes.map((axis, at) =>
      drawn("g", { class: "axis" }, ...axisLines(axis, x[at]), brushes[at].group)));
    plot.replaceChildren(svg);
    plot.parallel = { room, lines, own, axes, brushes };
  }
  const { lines, own, brushes } = plot.parallel, all = ranking.kept.size === lines.length;
  own.classList.toggle("some", !all);
  lines.forEach((line, at) => line.classList.toggle("left", !ranking.kept.has(at)));
  own.append(...lines.filter((line, at) => ranking.kept.has(at)));
  axes.forEach((axis, at) => showBrush(axis, brushes[at], brushOf(axis, ranges)));
}

addEventListener("resize", () => {
  for (const plot of document.querySelectorAll(".plot")) if (plot.parallel) draw(plot);
});
FIGURES.parallel.drawsItself = true;
