// How the reader looks at a leaderboard: along which axis costs are measured, and at which budget
// of FLOPs entries are ordered.
LOOKS.push((section, data) => {
  const slider = section.querySelector("[data-look=budget]");
  return {
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

document.addEventListener("input", async ({ target }) => {
  if (!target.dataset.look) return;
  const section = sectionOf(target);
  tellBudget(section, await read(section.id));
  redraw(section);
});

whenSeen(document.querySelectorAll(".looks"), (looks) => prepareLook(sectionOf(looks)));
