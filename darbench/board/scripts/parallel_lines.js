// Parallel coordinates as SVG: axes from left to right, a line an entry across them. What the
// ranking leaves out is pale.
const SVG = "http://www.w3.org/2000/svg";
const FRAME = { top: 68, bottom: 40, side: 48, height: 420, apart: 104 };
const ROOM = FRAME.height - FRAME.top - FRAME.bottom;
const DASHES = { solid: "", dash: "9 5", dot: "2 4", dashdot: "9 4 2 4" };

function drawn(tag, attributes, ...children) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

const heightOf = (place) => FRAME.top + ROOM * (1 - place);
const BARE = FRAME.height - 14; // where entries stand that have no value

function spread(axes, room) {
  const width = Math.max(room, 2 * FRAME.side + FRAME.apart * (axes.length - 1));
  const step = (width - 2 * FRAME.side) / Math.max(1, axes.length - 1);
  return { width, x: axes.map((axis, at) => FRAME.side + step * at) };
}

// Entries that share a stop stand a little apart on it, in their order.
function heightsOn(axis) {
  const shared = new Map();
  axis.values.forEach((value, at) => shared.set(value, [...(shared.get(value) ?? []), at]));
  const gap = Math.min(24, ROOM / axis.stops.length);
  return axis.values.map((value, at) => {
    const others = shared.get(value), share = others.indexOf(at) / others.length;
    const apart = others.length > 1 ? (share - 0.5) * gap * 0.5 : 0;
    return value === null ? BARE : heightOf(placeOn(axis, value)) + apart;
  });
}

function linesOver(axes, x, ranking, families) {
  const heights = axes.map(heightsOn);
  return ranking.rows.map((row, at) => {
    const path = heights.map((own, i) => `${i ? "L" : "M"}${x[i].toFixed(1)} ${own[at].toFixed(1)}`);
    const { colour, dash } = families[ranking.values.routing[at]];
    return drawn("path", { d: path.join(""), stroke: colour, "stroke-dasharray": DASHES[dash] },
      drawn("title", {}, ranking.values.variant[at]));
  });
}

// An axis with its title, and as many of its stops in words as there is room for.
function axisLines(axis, x) {
  return [
    drawn("line", { x1: x, x2: x, y1: FRAME.top, y2: FRAME.top + ROOM }),
    ...titleLines(axis.title, x),
    ...stopsWithRoom(axis).map((at) =>
      drawn("text", { class: "stop", x: x + 8, y: heightOf(axis.places[at]) + 4 }, cut(told(axis, at), 14))),
    ...(axis.bare ? [drawn("text", { class: "stop", x: x + 8, y: BARE + 4 }, "none")] : []),
  ];
}

function stopsWithRoom({ stops, places }) {
  const order = [0, stops.length - 1, ...stops.keys()], kept = new Set();
  for (const at of order) {
    const free = [...kept].every((other) => Math.abs(places[at] - places[other]) * ROOM > 26);
    if (at >= 0 && free) kept.add(at);
  }
  return [...kept];
}

// A title takes up to three lines, broken at spaces and behind dots.
function titleLines(title, x) {
  const lines = [];
  for (const word of title.match(/[^ .]*[ .]?/g).filter(Boolean)) {
    const longer = (lines.at(-1) ?? "") + word;
    if (lines.length && longer.trim().length <= 15) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  const shown = lines.slice(0, 3).map((line) => cut(line.trim(), 16));
  return shown.map((line, at) =>
    drawn("text", { class: "title", x, y: FRAME.top - 22 - 14 * (shown.length - 1 - at) }, line));
}

const cut = (text, most) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);
