// How the reader looks at a leaderboard: which entries its figures leave out, by the legend or
// because the ranking does, along which axis costs are measured, at which budget of FLOPs entries
// are ordered, and what was chosen beside a figure.
LOOKS.push((section, data) => {
  const slider = section.querySelector("[data-look=budget]");
  return {
    ranges: stateOf(section).ranges,
    choices: choicesIn(section),
    hidden: new Set([...hiddenIn(section), ...leftIn(data).map(({ name }) => name)]),
    axis: section.querySelector("[data-look=axis]")?.value,
    budget: slider && !slider.disabled ? marksOf(data)[slider.value] : data.budget,
  };
});

// The slider stands at the section's own budget until it is moved; it is prepared once.
async function prepareLook(section) {
  const data = await read(section.id), slider = section.querySelector("[data-look=budget]");
  if (!slider.disabled) return;
  const last = Math.max(0, marksOf(data).length - 1);
  Object.assign(slider, { max: last, value: last, disabled: last === 0 });
  tellBudget(section, data);
}

function tellBudget(section, data) {
  const { budget } = lookOf(section, data), own = budget === data.budget || budget === null;
  const percents = (100 * budget / data.budget).toFixed(0);
  const share = own ? "" : `, ${percents} % of the section’s budget`;
  const told = budget === null ? "none" : `${power(budget)} training FLOPs${share}`;
  section.querySelector(".budget-told").textContent = told;
  section.querySelector("[data-look=budget]").setAttribute("aria-valuetext", told);
  section.querySelector(".unfinished").hidden = own || !data.entries.some(({ falls }) => falls);
}

// The entries that the ranking leaves out.
function leftIn({ entries, ranking }) {
  return ranking ? entries.filter(({ place }) => !ranking.kept.has(place)) : [];
}

const choosing = (section) => [...section.querySelectorAll("select[data-choice]")];

// The place of what was chosen, by what it is chosen for.
function choicesIn(section) {
  return Object.fromEntries(
    choosing(section).map(({ dataset, selectedIndex }) => [dataset.choice, selectedIndex]));
}

document.addEventListener("input", async ({ target }) => {
  if (target.dataset.choice) redraw(sectionOf(target));
  if (!target.dataset.look) return;
  const section = sectionOf(target);
  tellBudget(section, await read(section.id));
  redraw(section);
});

whenSeen(document.querySelectorAll(".looks"), (looks) => prepareLook(sectionOf(looks)));
