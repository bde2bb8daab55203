// What a column of the ranking says of an entry: a text, and perhaps a smaller line below it.
const WRITERS = {
  number: ({ digits, scale }, value, [error]) =>
    [significant(value * scale, digits) + (error ? ` ± ${significant(error * scale, 2)}` : "")],
  count: (column, value) => [value.toLocaleString("en-US")],
  times: ({ digits }, value) => [`${significant(value, digits)}×`],
  chance: (column, value) => {
    const rounded = Math.round(100 * value);
    return [{ 0: "< 1 %", 100: "> 99 %" }[rounded] ?? `${rounded} %`];
  },
  percent: ({ digits }, value) => [inPercent(value, digits).replace("+", "")],
  effect: ({ digits }, mean, [low, high]) => effectLines(mean, low, high, digits),
  seeds: (column, value, [wanted, failed]) =>
    [`${value}/${wanted}`, ...(failed ? [`${failed} failed`] : [])],
  text: (column, value) => [value],
};

function linesOf({ values }, column, at) {
  const value = values[column.name][at];
  const beside = column.beside.map((name) => values[name][at]);
  return value === null ? [NO_VALUE] : WRITERS[column.kind](column, value, beside);
}

function effectLines(mean, low, high, least) {
  if (low === null) return [inPercent(mean, least)];
  const digits = decimals([mean, low, high], least);
  const ends = [low, high].map((end) => inPercent(end, digits).replace(" %", ""));
  return [inPercent(mean, digits), `[${ends.join(", ")}] %`];
}

// The decimals with which an interval that leaves out 0 is seen to do so, as in board/cells.py.
function decimals(ends, least) {
  const [, low, high] = ends;
  if (low <= 0 && high >= 0) return least;
  const seen = (digits) => ends.every((end) => Number((100 * end).toFixed(digits)));
  return Array.from({ length: 12 - least }, (_, i) => least + i).find(seen) ?? least;
}

function inPercent(fraction, digits) {
  const rounded = Number((100 * fraction).toFixed(digits)) || 0; // zero has no sign
  return `${rounded > 0 ? "+" : ""}${rounded.toFixed(digits)} %`.replace("-", "−");
}
