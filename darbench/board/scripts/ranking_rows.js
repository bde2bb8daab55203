// Which rows of a ranking are shown, and in which order. What a reader chose is texts, as they
// stand in the address: sort is "-seeds,fd" (most seeds first, then the least FD), ranges are
// "fd::20,seeds:3:,dar.query:static:" (in the units of the table, texts by the alphabet), pins are
// the short names of entries.
const MOST_PINS = 6;

const inAlphabet = new Intl.Collator("en", { numeric: true }).compare; // span 2 before span 10

const wordsOf = (text) => text.split(",").filter(Boolean);

// The order of the entries: those that have no value of a column come last whichever way it is
// sorted, and equal ones stay as the page has them.
function orderOf({ values, rows }, sort) {
  const keys = wordsOf(sort).map(sortKey).filter(({ name }) => Object.hasOwn(values, name));
  const compare = (one, other) => keys.reduce(
    (found, { name, down }) => found || compared(values[name][one], values[name][other], down), 0);
  return [...rows.keys()].sort((one, other) => compare(one, other) || one - other);
}

const sortKey = (word) => ({ name: word.replace(/^-/, ""), down: word.startsWith("-") });

function compared(one, other, down) {
  if (one === null || other === null) return (one === null) - (other === null);
  const rising = typeof one === "string" ? inAlphabet(one, other) : one - other;
  return down ? -rising : rising;
}

// How a click on a heading changes the order: the best first, then the worst, then as it was.
// Alone it sorts by that column only; beside others it adds it behind them.
function resorted(sort, { name, down }, beside) {
  const words = wordsOf(sort), place = words.findIndex((word) => sortKey(word).name === name);
  const [best, worst] = down ? [`-${name}`, name] : [name, `-${name}`];
  const next = words[place] === best ? [worst] : words[place] === worst ? [] : [best];
  if (!beside) return words.length > 1 ? best : next.join();
  return words.toSpliced(place < 0 ? words.length : place, 1, ...next).join();
}

function isKept(ranking, at, { find, show, ranges }) {
  const told = wordingOf(ranking, at), row = ranking.rows[at];
  const found = find.toLowerCase().split(/\s+/).every((word) => told.includes(word));
  return found && (SHOWN[show] ?? SHOWN.all)(row, ranking.values, at) &&
    wordsOf(ranges).every((range) => isWithin(ranking, at, range));
}

const SHOWN = {
  all: () => true,
  ranked: (row) => !row.classList.contains("unranked"),
  differing: (row) => row.querySelector(".better, .worse") !== null,
  failed: (row, { failures }, at) => failures[at] > 0,
};

// The name of an entry and its marks, its routing and the settings of it, in small letters.
function wordingOf({ values, rows }, at) {
  const named = rows[at].querySelector(".entry > :nth-child(3)").textContent;
  return [named, values.routing[at], values.params_json[at]].join(" ").toLowerCase();
}

function isWithin({ columns, values }, at, range) {
  const [name] = range.split(":"), column = columns.find((each) => each.name === name);
  if (!column) return true;
  const value = values[name][at];
  return value !== null &&
    isBetween(column, column.kind === "text" ? value : value * column.scale, range);
}

function isBetween({ kind }, value, range) {
  const [, low, high] = range.split(":"), text = kind === "text";
  const beyond = (end) => (text ? inAlphabet(value, decoded(end)) : value - Number(end));
  return (low === "" || beyond(low) >= 0) && (high === "" || beyond(high) <= 0);
}

// The end of a range of texts, in which the signs that divide ranges are coded.
function decoded(end) {
  try {
    return decodeURIComponent(end);
  } catch {
    return end; // an address that somebody wrote by hand
  }
}

// A reader pins an entry or takes its pin away; what would be one pin too many changes nothing.
function repinned(pins, entry) {
  const words = wordsOf(pins);
  if (words.includes(entry)) return words.filter((word) => word !== entry).join(",");
  return words.length < MOST_PINS ? [...words, entry].join(",") : pins;
}

function ranged(ranges, name, low, high) {
  const others = wordsOf(ranges).filter((range) => range.split(":")[0] !== name);
  return (low === "" && high === "" ? others : [...others, [name, low, high].join(":")]).join(",");
}
