// The part of a section that holds two of its entries against each other, which the reader chooses:
// effects, samples on the same noise, configuration, environment and code.
const chosenIn = (section) =>
  [...section.querySelectorAll("[data-versus]")].map(({ value }) => value);

async function prepareComparison(section) {
  const selects = [...section.querySelectorAll("[data-versus]")];
  if (!selects.length || selects[0].options.length) return;
  const data = await read(section.id), first = defaultPair(section, data);
  if (selects[0].options.length) return; // prepared meanwhile
  const entries = data.entries.toSorted((one, two) => one.place - two.place);
  selects.forEach((select, at) => {
    select.append(...entries.map(({ title, name }) => new Option(title, shortName(name))));
    select.value = first[at];
  });
}

// Two pinned entries; or one, or the first of the ranking, against what scores are ratios to.
function defaultPair(section, data) {
  const pins = wordsOf(stateOf(section).pins);
  const order = data.entries.toSorted((one, two) => one.place - two.place);
  const base = rankingOnce(data, data.budget).reference ?? order.at(-1).name;
  const names = order.map(({ name }) => shortName(name));
  const wanted = [...pins.filter((pin) => names.includes(pin)), shortName(base), ...names];
  const pair = pins.length ? wanted : [names[0], ...wanted];
  return [...new Set(pair)].concat(names[0]).slice(0, 2);
}

let comparing = 0;

async function showComparison(section) {
  const turn = ++comparing, place = section.querySelector(".comparison");
  await prepareComparison(section);
  const data = await read(section.id), short = chosenIn(section);
  const [one, other] = short.map((each) => data.entries.find((e) => shortName(e.name) === each));
  const parts = await Promise.all(short.map((each) => partsOf(section, each)));
  const code = await codeOf(parts);
  if (turn !== comparing) return; // another pair was chosen meanwhile
  const tables = [
    ["Configuration", differingValues(...parts.map(({ config }) => config))],
    ["Environment", differingValues(...parts.map(({ environment }) => environment))],
  ];
  place.replaceChildren(
    made("h4", `${one.title} against ${other.title}`),
    scrolling("Effects", pairTable(section, data, one.name, other.name)),
    ...swipe(section, short, [one.title, other.title]),
    ...tables.flatMap(([title, rows]) => differing(title, rows, [one.title, other.title])),
    made("h4", "Code"), ...code,
  );
}

function differing(title, rows, columns) {
  if (!rows.length) return [made("h4", title), made("p", "The same.")];
  const caption = "What differs; all else is the same.";
  const texts = [...columns];
  return [made("h4", title),
    scrolling(title, tableOf({ caption, columns: ["Name", ...columns], texts, rows }))];
}

function scrolling(title, table) {
  const region = made("div", table);
  Object.assign(region, { className: "scroll twin", tabIndex: 0, role: "region", ariaLabel: title });
  return region;
}

// What the details of an entry say of it, which Python wrote.
async function partsOf(section, short) {
  const held = made("template");
  held.innerHTML = (await entriesIn(section))[`${section.id}-e${short}`];
  const of = (selector) => [...held.content.querySelectorAll(selector)];
  const names = of(".environment dt").map((each) => each.textContent);
  const values = of(".environment dd").map((each) => each.textContent.trim());
  return {
    config: JSON.parse(of(".config")[0].textContent),
    environment: Object.fromEntries(names.map((name, at) => [name, values[at]])),
    hash: of("[data-source]")[0].dataset.source,
  };
}

async function codeOf([one, other]) {
  if (one.hash === other.hash) return [made("p", "The same.")];
  const both = await Promise.all([one, other].map(({ hash }) => sourceOf(hash)));
  if (both.includes(null)) {
    return [made("p", "The code of one of the two was not kept beside the ledger.")];
  }
  return sourceDifference(...both);
}

// The samples of both entries over each other, and a slider between them.
function swipe(section, short, titles) {
  const all = [...section.querySelectorAll(".samples img")];
  const pictures = short.map((each) =>
    all.find(({ dataset }) => dataset.entry === `${section.id}-e${each}`));
  if (!all.length) return [];
  if (pictures.includes(undefined)) {
    return [made("h4", "Samples"), made("p", "A picture of one of the two is not in this file.")];
  }
  const slider = made("input"), place = made("div", ...pictures.map((each) => each.cloneNode()));
  const label = `How much is seen of ${titles[0]}, the rest is of ${titles[1]}`;
  Object.assign(slider, { type: "range", min: 0, max: 100, value: 50, ariaLabel: label });
  const move = () => place.style.setProperty("--seen", `${slider.value}%`);
  slider.addEventListener("input", move);
  place.className = "swipe";
  move();
  const told = made("p", `Left of the line ${titles[0]}, right of it ${titles[1]}: the same noise.`);
  return [made("h4", "Samples"), place, slider, told];
}

// Open the comparison of an entry with a pinned one, or with what scores are ratios to.
async function compareWith(section, short) {
  await prepareComparison(section);
  const details = section.querySelector(".compare"), data = await read(section.id);
  const others = [...wordsOf(stateOf(section).pins), ...defaultPair(section, data).toReversed()];
  const selects = section.querySelectorAll("[data-versus]");
  [short, others.find((each) => each !== short) ?? short].forEach((value, at) => {
    selects[at].value = value;
  });
  if (details.open) showComparison(section);
  details.open = true;
  details.scrollIntoView();
  selects[1].focus({ preventScroll: true });
}

document.addEventListener("toggle", ({ target }) => {
  if (target.matches?.(".compare") && target.open) showComparison(sectionOf(target));
}, true);
document.addEventListener("input", ({ target }) => {
  if (target.dataset.versus) showComparison(sectionOf(target));
});
document.addEventListener("click", ({ target }) => {
  const button = target.closest("button[data-compare]");
  if (button) compareWith(sectionOf(button), button.dataset.compare);
});
