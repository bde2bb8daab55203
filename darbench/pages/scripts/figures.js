// Figures are drawn when they come into view, and the first one loads plotly: nothing else of the
// page waits for it. Until then a figure is empty, or a picture that Python drew.
//
// A kind of figure is a function of the data of its section, of how the reader looks at it and of
// what its element says: it returns the traces and the layout of plotly, the table behind the
// figure, how many entries it shows, and a note on them if there is one; one that is not of entries
// has it all told in its own words. One that draws itself returns how, and needs no plotly.
const FIGURES = {};
// How the reader looks at a section: each of these adds a few fields.
const LOOKS = [(section) => ({ hidden: hiddenIn(section) })];
const CONFIG = {
  showSendToCloud: false, displaylogo: false, responsive: true,
  modeBarButtonsToRemove: ["select2d", "lasso2d"],
};
const LAYOUT = {
  height: 420,
  margin: { l: 64, r: 44, t: 24, b: 52 },
  showlegend: false,
  hovermode: "closest",
  paper_bgcolor: "rgba(0,0,0,0)",
  plot_bgcolor: "rgba(0,0,0,0)",
  font: { size: 12.5, family: "system-ui, sans-serif" },
  modebar: { bgcolor: "rgba(0,0,0,0)", color: "#868e96", activecolor: "#3a86d8" },
};
const PICTURES = '[data-export="png"], [data-export="svg"]';
let loading;

function plotly() {
  loading ??= unpack("plotly").then(run);
  return loading;
}

function run(code) {
  const address = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    Object.assign(script, { src: address, onload: resolve, onerror: reject });
    document.head.append(script);
  }).finally(() => URL.revokeObjectURL(address));
}

async function draw(plot) {
  let data;
  try {
    const drawer = FIGURES[plot.dataset.figure].drawsItself ? null : plotly();
    [data] = await Promise.all([read(sectionOf(plot).id), drawer]);
  } catch {
    // A browser that cannot unpack it keeps the picture, if there is one.
    if (!plot.firstElementChild) plot.textContent = "This browser cannot draw the plot.";
    return;
  }
  const { draw: own, traces, layout, shown, note, told: other } = figureOf(plot, data);
  const all = data.entries.length;
  plot.classList.toggle("own", Boolean(own));
  if (own) own(plot);
  else await drawTraces(plot, shown ? { traces, layout } : null);
  const told = other ?? `${shown} of ${all} ${all === 1 ? "entry" : "entries"}`;
  plot.parentElement.querySelector(".shown").textContent = note ? `${told}; ${note}` : told;
}

// Axes without anything on them are not drawn.
async function drawTraces(plot, made) {
  if (!plot.data) plot.replaceChildren();
  if (made) await Plotly.react(plot, made.traces, { ...LAYOUT, ...made.layout }, CONFIG);
  else if (plot.data) Plotly.purge(plot);
  plot.classList.toggle("nothing", !made);
  for (const button of plot.parentElement.querySelectorAll(PICTURES)) button.disabled = !made;
}

const sectionOf = (node) => node.closest("section");

function figureOf(plot, data) {
  return FIGURES[plot.dataset.figure](data, lookOf(sectionOf(plot), data), plot.dataset);
}

function lookOf(section, data) {
  return Object.assign({}, ...LOOKS.map((look) => look(section, data)));
}

// The entries that the reader leaves out.
function hiddenIn(section) {
  const buttons = section.querySelectorAll(".legend [aria-pressed=false]");
  return new Set([...buttons].map((button) => button.dataset.entry));
}

// A legend button shows and hides one entry in all figures of its section.
function toggle(button) {
  button.setAttribute("aria-pressed", button.getAttribute("aria-pressed") !== "true");
  redraw(sectionOf(button));
}

document.addEventListener("click", ({ target }) => {
  const button = target.closest("button[data-entry]");
  if (button) toggle(button);
});

function redraw(section) {
  const hidden = hiddenIn(section);
  for (const line of section.querySelectorAll("path[data-entry]")) {
    line.style.display = hidden.has(line.dataset.entry) ? "none" : "";
  }
  for (const plot of section.querySelectorAll(".plot")) {
    if (plot.data || plot.matches(".own, .nothing")) draw(plot);
  }
  for (const twin of section.querySelectorAll(".twin[open]")) writeTwin(twin);
}

let redrawing;

// Who types a search or drags a brush waits for no figure: the last of several changes is drawn.
function redrawSoon(section) {
  clearTimeout(redrawing);
  redrawing = setTimeout(() => redraw(section), 120);
}

// The table behind a figure holds what the figure shows.
async function writeTwin(twin) {
  const plot = twin.parentElement.querySelector(".plot");
  const { tables } = figureOf(plot, await read(sectionOf(plot).id));
  twin.querySelector("div").replaceChildren(...tables.map(tableOf));
}

document.addEventListener("toggle", ({ target }) => {
  if (target.matches?.(".twin") && target.open) writeTwin(target);
}, true);

// Call with each element once, when it comes into view.
function whenSeen(elements, call) {
  const watch = new IntersectionObserver((seen) => {
    for (const { target } of seen.filter((each) => each.isIntersecting)) {
      watch.unobserve(target);
      call(target);
    }
  });
  elements.forEach((element) => watch.observe(element));
}

whenSeen(document.querySelectorAll(".plot"), draw);
