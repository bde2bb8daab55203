// The axes of parallel coordinates: a column of the ranking each, with the values that entries have
// on it as its stops, in order. A brush is what the ranking's filter keeps of an axis, and reaches
// from one stop to another.
function axesOf(ranking) {
  const of = (axis) => ranking.columns.filter((column) => column.axis === axis);
  return [...of("parameter"), ...of("result")].map((column) => axisOf(column, ranking));
}

function axisOf(column, { values: { [column.name]: given } }) {
  const text = column.kind === "text";
  const values = text ? given : given.map((value) => value && value * column.scale);
  const stops = [...new Set(values.filter((value) => value !== null))];
  stops.sort(text ? inAlphabet : (one, other) => one - other);
  const unit = column.kind === "effect" || column.kind === "percent" ? "%" : "";
  return {
    column, text, values, stops, unit,
    title: column.title + (unit && `, ${unit}`),
    places: stops.map(placing(stops, text)),
    bare: values.includes(null),
  };
}

// Where a value stands, from 0 to 1: numbers by their size, or by their logarithm where they span a
// decade. Texts stand from the top down.
function placing(stops, text) {
  if (stops.length < 2) return () => 0.5;
  if (text) return (value, at) => 1 - at / (stops.length - 1);
  const [first, last] = [stops[0], stops.at(-1)];
  const scale = first > 0 && last >= 10 * first ? Math.log : (value) => value;
  return (value) => (scale(value) - scale(first)) / (scale(last) - scale(first));
}

const placeOn = (axis, value) => axis.places[axis.stops.indexOf(value)];

// The stops that a brush takes in: [first, last]; null without a brush.
function brushOf({ column, stops }, ranges) {
  const range = wordsOf(ranges).find((each) => each.split(":")[0] === column.name);
  if (!range) return null;
  const taken = [...stops.keys()].filter((at) => isBetween(column, stops[at], range));
  return taken.length ? [taken[0], taken.at(-1)] : [0, 0];
}

// The ranges with another brush on an axis; one over all its stops is none.
function brushed(ranges, { column, text, stops }, brush) {
  const [first, last] = brush ?? [0, stops.length - 1];
  const end = (at, up) => (text ? encodeURIComponent(stops[at]) : outward(stops[at], up));
  return ranged(ranges, column.name,
    first > 0 ? end(first, false) : "", last < stops.length - 1 ? end(last, true) : "");
}

// A number of few digits that is not inside the range that it ends.
function outward(value, up) {
  const short = Number(value.toPrecision(9));
  if (up ? short >= value : short <= value) return String(short);
  const unit = 10 ** (Math.floor(Math.log10(Math.abs(value))) - 8);
  return String(Number((short + (up ? unit : -unit)).toPrecision(9)));
}

const told = ({ text, stops }, at) => (text ? stops[at] : briefly(stops[at], 3));

// A number without the zeros behind its digits.
const briefly = (value, digits) => String(Number(value.toPrecision(digits))).replace("-", "−");

function brushWords(axis, brush) {
  if (!brush) return "all";
  const [first, last] = brush.map((at) => told(axis, at));
  return [first === last ? first : `${first} to ${last}`, axis.unit].filter(Boolean).join(" ");
}
