// A map of sites by sources at each time, of one entry. All entries have the same colours: those of
// the value, or of its share of its row where the scale of what is read means nothing. They go by
// the root of it, or the sites that read one source would leave no colour to those that read many.
const BOTH_SIGNS = [[0, "#2f6fbf"], [0.5, "#f4f5f6"], [1, "#d9682a"]];
const ONE_SIGN = [[0, "#f4f5f6"], [0.35, "#8fc3e8"], [0.7, "#2f6fbf"], [1, "#12294f"]];

FIGURES.maps = (data, look, { array }) => {
  const gates = array === "gate_gradient";
  const entry = data.entries.find((each) => (gates ? each.baseline : each.name === look.of));
  const held = entry?.arrays[array];
  if (!held) {
    const why = gates ? "no add is shown" : `${entry?.title} reads by no softmax`;
    return { traces: [], layout: {}, shown: 0, note: why, tables: [mapTable([], [], () => [])] };
  }
  const { t: times, k: sites, j: sources } = held.axes;
  const shares = array === "routing_matrix", signed = array !== "softmax_weights";
  const all = data.entries.flatMap(({ arrays }) => (arrays[array] ? extent(arrays[array].values) : []));
  const reach = shares ? 1 : Math.max(...all.map(Math.abs), 1e-12);
  const at = (t, k, j) => held.values[(t * sites.length + k) * sources.length + j];
  const columns = innerWidth < 700 ? 2 : Math.min(5, times.length);
  const rows = Math.ceil(times.length / columns);
  const panels = times.map((t, n) => ({ t, id: n ? n + 1 : "", column: n % columns }));
  return {
    traces: panels.map(({ t, id }, n) => ({
      type: "heatmap", x: sources, y: sites, xaxis: `x${id}`, yaxis: `y${id}`,
      ...coloured(sites.map((site, k) => sources.map((source, j) =>
        (source > site ? null : at(n, k, j)))), reach, shares),
      coloraxis: "coloraxis", hoverongaps: false,
      hovertemplate: `site %{y}, source %{x}: %{customdata:.4g}<extra>${timeTold(t)}</extra>`,
    })),
    layout: {
      height: 70 + 250 * rows,
      margin: { l: 52, r: 12, t: 28, b: 44 },
      grid: { rows, columns, pattern: "independent", xgap: 0.12, ygap: 0.2 },
      coloraxis: {
        cmin: signed ? -1 : 0, cmax: 1, colorscale: signed ? BOTH_SIGNS : ONE_SIGN,
        colorbar: {
          thickness: 10, outlinewidth: 0, tickfont: { color: "#868e96" },
          title: { text: shares ? "share" : "", font: { color: "#868e96" } },
          ...ticksOf(signed ? [-1, -0.25, -0.04, 0, 0.04, 0.25, 1] : [0, 0.04, 0.25, 1], reach),
        },
      },
      annotations: panels.map(({ t, id }) => ({
        text: timeTold(t), showarrow: false, x: 0.5, y: 1, yanchor: "bottom",
        xref: `x${id} domain`, yref: `y${id} domain`, font: { color: "#868e96" },
      })),
      ...Object.fromEntries(panels.flatMap(({ id, column }, n) => [
        [`xaxis${id}`, { title: { text: n >= times.length - columns ? "source j" : "" },
          showgrid: false, zeroline: false }],
        [`yaxis${id}`, { autorange: "reversed", showgrid: false, zeroline: false,
          title: { text: column ? "" : "site i" } }],
      ])),
    },
    shown: 1,
    note: `${entry.title}${entry.seeds > 1 ? `, mean over ${entry.seeds} seeds` : ""}; ` +
      `values to within ${significant(held.half, 2)}`,
    tables: [mapTable(times, sites.flatMap((site, k) => sources.map((source, j) => [k, j])
      .filter(([, j]) => sources[j] <= site)), ([k, j]) =>
      [sites[k], sources[j], ...times.map((t, n) => significant(at(n, k, j), 3))], entry)],
  };
};

// Colours by the root, and the values themselves to be told.
function coloured(values, reach, shares) {
  const z = values.map((row) => {
    const whole = shares ? sum(row.map((v) => Math.abs(v ?? 0))) || 1 : reach;
    return row.map((v) => (v === null ? null : rooted(v / whole)));
  });
  return { z, customdata: values };
}

const rooted = (share) => Math.sign(share) * Math.sqrt(Math.abs(share));

function ticksOf(shares, reach) {
  const texts = shares.map((share) => Number((share * reach).toPrecision(2)) + "");
  return { tickvals: shares.map(rooted), ticktext: texts.map((text) => text.replace("-", "−")) };
}

function mapTable(times, places, cellsOf, entry) {
  return {
    caption: entry ? `${entry.title}: site, source, and the value at every time.` : "Nothing.",
    columns: ["Site i", "Source j", ...times.map(timeTold)],
    rows: places.map(cellsOf),
  };
}

function extent(values) {
  const known = values.filter((value) => value !== null);
  return known.length ? [Math.min(...known), Math.max(...known)] : [];
}
