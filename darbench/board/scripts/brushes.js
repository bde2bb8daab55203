// The brush of an axis: its two ends can be moved, and it as a whole, by pointer and by keyboard.
// Without a brush its ends lie at those of the axis. Each part is 24 pixels wide and high at least.
const GRIP = 26;

function brushParts(axis, x) {
  const part = (name, label, ...shapes) => {
    const node = drawn("g", {
      class: `grip ${name}`, tabindex: 0, role: "slider", "aria-orientation": "vertical",
      "aria-label": label, "aria-valuemin": 0, "aria-valuemax": axis.stops.length - 1,
    }, ...shapes);
    node.dataset.part = name;
    return node;
  };
  const end = (name, label) => part(name, `${label} of ${axis.title}`,
    drawn("rect", { x: x - GRIP, width: 2 * GRIP, height: GRIP, class: "hit" }), drawn("path", {}));
  const whole = drawn("rect", { x: x - GRIP / 2, width: GRIP });
  const rail = drawn("rect", {
    x: x - GRIP / 2, width: GRIP, y: FRAME.top, height: ROOM, class: "hit rail",
  });
  rail.dataset.part = "rail";
  const move = part("whole", `Range of ${axis.title}, to be moved`, whole);
  const [first, last] = [end("first", "Start"), end("last", "End")];
  const group = drawn("g", { class: "brush" }, rail, move, first, last);
  group.dataset.axis = axis.column.name;
  return { group, x, whole, move, first, last };
}

function showBrush(axis, parts, brush) {
  const [first, last] = brush ?? [0, axis.stops.length - 1];
  const ends = [[parts.first, first], [parts.last, last]];
  const [low, high] = [first, last].map((at) => heightOf(axis.places[at])).sort((a, b) => a - b);
  parts.group.classList.toggle("brushed", brush !== null);
  parts.whole.setAttribute("y", low - 5);
  parts.whole.setAttribute("height", high - low + 10);
  for (const [node, at] of ends) {
    const upper = (node === parts.first) === axis.text, y = upper ? low - 5 : high + 5;
    const [hit, mark] = node.children, way = upper ? -1 : 1;
    hit.setAttribute("y", upper ? y - GRIP : y);
    mark.setAttribute("d", `M${parts.x - 9} ${y}h18l-9 ${9 * way}z`);
    node.setAttribute("aria-valuenow", at);
    node.setAttribute("aria-valuetext", told(axis, at));
  }
  parts.move.setAttribute("aria-valuenow", first);
  parts.move.setAttribute("aria-valuetext", brushWords(axis, brush));
}

// What the event is on: a part of the brush of an axis.
function gripped({ target }) {
  const part = target.closest?.("[data-part]"), plot = part?.closest(".plot");
  if (!plot?.parallel) return null;
  const { axis: name } = part.parentNode.dataset, section = sectionOf(plot);
  const axis = plot.parallel.axes.find(({ column }) => column.name === name);
  return { part: part.dataset.part, axis, section, brush: brushOf(axis, stateOf(section).ranges) };
}

function brush({ axis, section }, stops) {
  const { ranges } = stateOf(section), next = brushed(ranges, axis, stops);
  if (next !== ranges) choose(section, { ranges: next });
}

// The brush after one of its parts came to another stop, from where it was.
function moved({ part, axis, brush: before }, by) {
  const end = axis.stops.length - 1, [first, last] = before ?? [0, end];
  if (part === "first") return [Math.min(Math.max(0, first + by), last), last];
  if (part === "last") return [first, Math.max(Math.min(end, last + by), first)];
  const step = Math.min(Math.max(by, -first), end - last);
  return [first + step, last + step];
}

const STEPS = { ArrowUp: 1, ArrowRight: 1, ArrowDown: -1, ArrowLeft: -1, PageUp: 5, PageDown: -5 };

document.addEventListener("keydown", (event) => {
  const grip = gripped(event), { key } = event, far = { Home: -Infinity, End: Infinity }[key];
  if (!grip || grip.part === "rail") return;
  if (["Escape", "Delete", "Backspace"].includes(key)) brush(grip, null);
  else if (far || key in STEPS) brush(grip, moved(grip, far ?? STEPS[key] * (grip.axis.text ? -1 : 1)));
  else return;
  event.preventDefault();
});

// The stop that is nearest to the pointer.
function stopAt({ places }, plot, { clientY }) {
  const place = 1 - (clientY - plot.getBoundingClientRect().top - FRAME.top) / ROOM;
  const off = places.map((each) => Math.abs(each - place));
  return off.indexOf(Math.min(...off));
}

document.addEventListener("pointerdown", (event) => {
  const grip = gripped(event), plot = grip && event.target.closest(".plot");
  if (!grip || event.button) return;
  const { axis } = grip, from = stopAt(axis, plot, event), down = event.clientY;
  let dragged = false;
  const drag = (move) => {
    const at = stopAt(axis, plot, move);
    dragged ||= Math.abs(move.clientY - down) > 3;
    if (!dragged) return;
    const start = grip.part === "rail"
      ? [from, at].sort((one, other) => one - other) : moved(grip, at - from);
    brush(grip, start);
  };
  const drop = () => {
    removeEventListener("pointermove", drag);
    removeEventListener("pointerup", drop);
    removeEventListener("pointercancel", drop);
    if (!dragged && grip.part === "rail") brush(grip, null);
  };
  addEventListener("pointermove", drag);
  addEventListener("pointerup", drop);
  addEventListener("pointercancel", drop);
  event.target.closest("[tabindex]")?.focus({ preventScroll: true });
  event.preventDefault();
});
