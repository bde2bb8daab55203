// What the reader sees of the page is kept in one place, the address: `#s1.sort=-seeds&s1.find=dar`
// and so on, each section's choices behind its name, and what is as usual unsaid. A reader who gets
// the address sees the same, and so does a page that reloads. `#s1-title` is a place of the page.
const USUAL = { columns: "compact", show: "all", find: "", sort: "", ranges: "", pins: "" };
const states = new Map();
let place = "", restoring = 0;

const stateOf = (section) => states.get(section.id) ?? USUAL;
const sectionsOf = () => [...document.querySelectorAll("main > section")];

function choose(section, change) {
  states.set(section.id, { ...stateOf(section), ...change });
  rememberSoon();
  showRanking(section);
}

// What the reader chose elsewhere than in the ranking stands in the elements themselves: a text,
// empty as the page comes, and how to bring it back.
const SEEN = {
  axis: {
    read: (section) => section.querySelector("[data-look=axis]")?.value.replace(/^flops$/, ""),
    restore: (section, axis) => turn(section.querySelector("[data-look=axis]"), axis || "flops"),
  },
  budget: {
    read(section) {
      const slider = section.querySelector("[data-look=budget]");
      return !slider || slider.value === slider.max ? "" : slider.value;
    },
    async restore(section, budget) {
      const slider = section.querySelector("[data-look=budget]");
      if (budget) await prepareLook(section);
      turn(slider, budget || slider?.max);
    },
  },
  choices: {
    read: (section) => choosing(section).filter((each) => each.value !== usualOf(each))
      .map(({ dataset, value }) => `${dataset.choice}:${value}`).join(),
    restore(section, choices) {
      const said = new Map(wordsOf(choices).map((word) => word.split(":")));
      choosing(section).forEach((each) => turn(each, said.get(each.dataset.choice) ?? usualOf(each)));
    },
  },
  drawn: {
    read: (section) => changedLines(section).map((line) => shortName(line.dataset.entry)).join(),
    restore(section, drawn) {
      const changed = changedLines(section), wanted = wordsOf(drawn);
      section.querySelectorAll(".legend button").forEach((line) => {
        if (changed.includes(line) !== wanted.includes(shortName(line.dataset.entry))) toggle(line);
      });
    },
  },
  compare: {
    read: (section) => (section.querySelector(".compare[open]") ? chosenIn(section).join() : ""),
    async restore(section, pair) {
      if (!pair) return;
      await prepareComparison(section);
      const chosen = wordsOf(pair);
      section.querySelectorAll("[data-versus]").forEach((select, at) => {
        const known = [...select.options].some(({ value }) => value === chosen[at]);
        if (known) select.value = chosen[at];
      });
      section.querySelector(".compare").open = true;
    },
  },
  open: {
    read: (section) => [...section.querySelectorAll("details[open][id]")]
      .map(({ id }) => id.slice(section.id.length + 1)).join(),
    restore(section, open) {
      const ids = new Set(wordsOf(open).map((id) => `${section.id}-${id}`));
      section.querySelectorAll("details[id]").forEach((d) => { d.open = ids.has(d.id); });
    },
  },
};

const usualOf = ({ options }) => [...options].find((each) => each.defaultSelected).value;

// The lines that a reader has shown or hidden, against what the page drew unasked.
function changedLines(section) {
  return [...section.querySelectorAll(".legend button")]
    .filter((line) => line.getAttribute("aria-pressed") !== line.dataset.unasked);
}

// An entry's name is a hash of its configuration and one of its source: their first digits, as in
// its anchor.
function shortName(entry) {
  const [config, source] = entry.split("-");
  return config.slice(0, 10) + source.slice(0, 6);
}

function turn(control, value) {
  if (!control || control.value === value) return;
  control.value = value;
  control.dispatchEvent(new Event("input", { bubbles: true }));
}

function addressed() {
  const said = new URLSearchParams();
  for (const section of sectionsOf()) {
    for (const [field, usual] of Object.entries(USUAL)) {
      const value = stateOf(section)[field];
      if (value !== usual) said.set(`${section.id}.${field}`, value);
    }
    for (const [field, { read }] of Object.entries(SEEN)) {
      const value = read(section);
      if (value) said.set(`${section.id}.${field}`, value);
    }
  }
  if (!said.size) return place;
  if (place) said.set("at", place);
  return String(said).replaceAll("%2C", ",").replaceAll("%3A", ":");
}

let remembering;

// A browser allows some changes of the address a second: the last of several is enough.
function rememberSoon() {
  clearTimeout(remembering);
  remembering = setTimeout(() => {
    const address = location.href.split("#")[0], hash = restoring ? "" : addressed();
    if (!restoring) history.replaceState(history.state, "", hash ? `${address}#${hash}` : address);
  }, 50);
}

async function restore() {
  const hash = location.hash.slice(1), said = new URLSearchParams(hash);
  place = hash.includes("=") ? said.get("at") ?? "" : hash;
  if (hash.includes("=")) {
    restoring += 1;
    await Promise.allSettled(sectionsOf().map((section) => restoreSection(section, said)));
    restoring -= 1;
  }
  const target = place && (document.getElementById(place) ?? elsewhere(place));
  if (target?.tagName === "DETAILS") target.open = true;
  if (hash.includes("=") || target?.id !== place) target?.scrollIntoView?.();
  if (target) place = target.id;
  rememberSoon();
}

// The entry that a link leads to, in another section than the link says: sections are numbered in the
// order of the page, and a new one moves those behind it.
function elsewhere(place) {
  const entry = (id) => id.match(/^s\d+-e(.+)/)?.[1], wanted = entry(place);
  const all = [...document.querySelectorAll(".entry-details")];
  return wanted ? all.find(({ id }) => entry(id) === wanted) : undefined;
}

async function restoreSection(section, said) {
  const get = (field) => said.get(`${section.id}.${field}`);
  const fields = Object.entries(USUAL).map(([field, usual]) => [field, get(field) ?? usual]);
  states.set(section.id, Object.fromEntries(fields));
  await showRanking(section);
  for (const [field, each] of Object.entries(SEEN)) await each.restore(section, get(field) ?? "");
}

addEventListener("hashchange", restore);
for (const kind of ["input", "click", "toggle"]) {
  document.addEventListener(kind, rememberSoon, true);
}
