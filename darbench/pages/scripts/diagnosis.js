// Diagnoses, as pages/pictures.py packs them: of every entry arrays over time t, depth k and source j,
// each in equal steps between its ends. The reader chooses the time, the entry of the maps, and of
// which shares the measures over t are.
READERS.diagnosis = async (section) => {
  const data = JSON.parse(await unpack(`${section}-data`));
  await Promise.all(data.entries.map(async (entry, place) => {
    const bytes = await (await unpacked(`${section}-p${place}`)).arrayBuffer();
    entry.arrays = arraysOf(entry.arrays, data.axes, new Uint8Array(bytes));
  }));
  return data;
};

// name -> its axes, its values and their spread over seeds, in the order of the axes; the last one
// runs fastest. `half` is half a step: so far a value may lie from the one that was measured.
function arraysOf(metas, axes, bytes) {
  const arrays = {};
  let at = 0;
  for (const meta of metas) {
    const along = Object.fromEntries(meta.axes.map(([axis, which]) => [axis, axes[which]]));
    const n = Object.values(along).reduce((size, { length }) => size * length, 1);
    const wide = meta.top > 255 ? 2 : 1, planes = bytes.subarray(at, (at += wide * n));
    const step = (meta.high - meta.low) / (meta.top - 1);
    const decoded = Array.from({ length: n }, (_, i) => {
      const code = planes[i] + (wide === 2 ? 256 * planes[n + i] : 0);
      return code === meta.top ? null : meta.low + step * code;
    });
    const array = (arrays[meta.name] ??= { axes: along, log: meta.log, spread: null });
    if (meta.what === "spread") array.spread = decoded;
    else Object.assign(array, { half: step / 2, values: meta.log ? exponents(decoded) : decoded });
  }
  return arrays;
}

const exponents = (values) => values.map((value) => (value === null ? null : Math.exp(value)));

const chosen = (section, what) => section.querySelector(`[data-diagnosis=${what}]`)?.value;

LOOKS.push((section) => ({
  time: Number(chosen(section, "time") ?? 0),
  of: chosen(section, "of"),
  shares: chosen(section, "shares") ?? "routing",
}));

// An array along its depth, at one of its times if it has some: mean, and the ends of its spread.
function alongDepth({ axes, values, spread, log }, time) {
  const [depth] = Object.keys(axes).filter((axis) => axis !== "t");
  const first = axes.t ? Math.min(time, axes.t.length - 1) * axes[depth].length : 0;
  return axes[depth].map((x, i) => pointWith(x, first + i, { values, spread, log }));
}

function pointWith(x, at, { values, spread, log }) {
  const mean = values[at], off = spread?.[at] ?? null;
  if (mean === null || off === null) return { x, mean, low: mean, high: mean, off };
  const [low, high] = log ? [mean / Math.exp(off), mean * Math.exp(off)] : [mean - off, mean + off];
  return { x, mean, low, high, off };
}

const seenIn = (data, { hidden }, array) =>
  data.entries.filter(({ name, arrays }) => !hidden.has(name) && arrays[array]);

// Bands and lines of [entry, points].
function linesOfEntries(curves) {
  const known = curves.map(([entry, points]) =>
    [entry, points.filter(({ mean }) => mean !== null)]);
  const bands = known.filter(([, points]) => points.some(({ off }) => off));
  return [
    ...bands.map(([entry, points]) => ({
      ...bandTrace(points.map(({ x, low, high }) => [x, low, high])),
      fillcolor: faded(entry.style.colour, 0.35 / (1 + bands.length)),
    })),
    ...known.map(([entry, points]) => ({
      x: points.map(({ x }) => x), y: points.map(({ mean }) => mean),
      name: escaped(entry.title), mode: "lines+markers", marker: { size: 5 },
      line: { color: entry.style.colour, dash: entry.style.dash, width: 2 },
      hovertemplate: "%{y:.4g} at %{x}",
    })),
  ];
}

// How many seeds stand behind a mean, and what is said of them.
function seedsNote(curves) {
  const several = curves.some(([{ seeds }]) => seeds > 1);
  return several ? "line: mean over seeds; band: one standard deviation" : "one seed each";
}

const spreadCells = ({ off, low, high }) =>
  [off === null ? NO_VALUE : `[${significant(low, 4)}, ${significant(high, 4)}]`];

function timeTold(t) {
  const end = { 0: ", noise", 1: ", data" }[Number(t.toFixed(2))] ?? "";
  return `t = ${Number(t.toFixed(3))}${end}`;
}

document.addEventListener("input", ({ target }) => {
  if (!target.dataset.diagnosis) return;
  const section = sectionOf(target);
  if (target.dataset.diagnosis === "time") {
    const told = timeTold(Number(target.dataset.times.split(" ")[target.value]));
    section.querySelector(".time-told").textContent = told;
    target.setAttribute("aria-valuetext", told);
  }
  redraw(section);
});
