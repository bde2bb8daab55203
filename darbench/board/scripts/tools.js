// What a reader does with a ranking: sort by headings, search, filter, pin.
const PRESETS = [
  "compact", "quality", "cost", "robustness", "mechanism", "parameters", "all",
];

// The controls say what is chosen, and how many entries are shown.
function showTools(section, ranking, state, kept) {
  const { columns, rows } = ranking;
  const tools = section.querySelector(".tools");
  for (const control of tools.querySelectorAll("[data-rank]")) {
    const value = state[control.dataset.rank];
    if (control.value !== value) control.value = value;
  }
  showRange(tools, ranking, state.ranges);
  tools.querySelector(".ranges").replaceChildren(
    ...wordsOf(state.ranges).map((range) => rangeButton(columns, range)));
  const pins = wordsOf(state.pins).length, sorted = wordsOf(state.sort).map(sortKey);
  const titles = sorted.map(({ name }) => columns.find((c) => c.name === name)?.title ?? "Variant");
  tools.querySelector(".kept").textContent = [
    `${kept.length} of ${rows.length} ${rows.length === 1 ? "entry" : "entries"}`,
    ...(titles.length ? [`sorted by ${titles.join(", ")}`] : []),
    ...(pins ? [`${pins} of at most ${MOST_PINS} pinned`] : []),
  ].join("; ");
}

// The empty fields of a range show the least and the most that the column holds.
function showRange(tools, ranking, ranges) {
  const [name, low, high] = ["name", "low", "high"].map((part) =>
    tools.querySelector(`[data-range=${part}]`));
  const range = wordsOf(ranges).find((each) => each.split(":")[0] === name.value) ?? "::";
  const ends = extremes(ranking, name.value);
  [low, high].forEach((end, at) => {
    end.disabled = name.value === "";
    const text = range.split(":")[at + 1];
    end.placeholder = ends[at];
    if (end !== document.activeElement) end.value = text; // "-" on the way to "-4" has no value
  });
}

function extremes({ columns, values }, name) {
  const column = columns.find((each) => each.name === name);
  const held = column ? values[name].filter((value) => value !== null) : [];
  if (!held.length) return ["", ""];
  const written = (value) => significant(value * column.scale, 3).replace("−", "-");
  return [written(Math.min(...held)), written(Math.max(...held))];
}

function rangeButton(columns, range) {
  const [name, low, high] = range.split(":");
  const title = columns.find((column) => column.name === name)?.title ?? name;
  const ends = [low, high].map(decoded);
  const told = ends.map((end, at) => end && `${"≥≤"[at]} ${end}`).filter(Boolean).join(", ");
  const button = buttonOf("unrange", `${title} ${told} ×`);
  Object.assign(button, { ariaLabel: `Remove: ${title} ${told}` });
  button.dataset.unrange = name;
  return button;
}

document.addEventListener("input", ({ target }) => {
  const { rank, range } = target.dataset;
  if (!rank && !range) return;
  const section = sectionOf(target), { ranges } = stateOf(section);
  if (rank) return choose(section, { [rank]: target.value });
  const [name, low, high] = ["name", "low", "high"].map((part) =>
    section.querySelector(`[data-range=${part}]`).value);
  choose(section, range === "name" || !name ? {} : { ranges: ranged(ranges, name, low, high) });
});

document.addEventListener("click", async ({ target, shiftKey }) => {
  const button = target.closest(".sort, .pin, .unrange"), section = button && sectionOf(button);
  if (!button) return;
  const { sort, pins, ranges } = stateOf(section), { columns } = await rankingOf(section);
  if (button.matches(".pin")) {
    choose(section, { pins: repinned(pins, button.closest("tr").dataset.entry) });
  } else if (button.matches(".unrange")) {
    choose(section, { ranges: ranged(ranges, button.dataset.unrange, "", "") });
  } else {
    const { column } = button.parentElement.dataset;
    const { down = false } = columns.find(({ name }) => name === column) ?? {};
    choose(section, { sort: resorted(sort, { name: column, down }, shiftKey) });
  }
});

// `/` goes to the search of the section that is in view, Escape empties it.
document.addEventListener("keydown", (event) => {
  const { target, key } = event, writing = target.closest("input, select, textarea");
  if (key === "Escape" && target.matches("[data-rank=find]")) turn(target, "");
  if (key !== "/" || writing || event.ctrlKey || event.metaKey || event.altKey) return;
  const fields = [...document.querySelectorAll("[data-rank=find]")];
  const seen = fields.filter((field) => sectionOf(field).getBoundingClientRect().bottom > 0);
  seen[0]?.focus();
  if (seen.length) event.preventDefault();
});
