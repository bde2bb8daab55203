// Figures are drawn when they come into view, and the first one loads plotly: nothing else of the
// page waits for it. Until then a figure is empty, or a picture that Python drew.
const CONFIG = {
  showSendToCloud: false, displaylogo: false, responsive: true,
  modeBarButtonsToRemove: ["select2d", "lasso2d"],
};
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
  try {
    const [figure] = await Promise.all([unpack(plot.id + "-figure"), plotly()]);
    plot.replaceChildren();
    await Plotly.newPlot(plot, { ...JSON.parse(figure), config: CONFIG });
    showPressed(plot);
  } catch {
    // A browser that cannot unpack it keeps the picture, if there is one, and the table below.
    if (!plot.firstElementChild) plot.textContent = "This browser cannot draw the plot.";
  }
}

// A legend button shows and hides one entry in all plots of its section.
function toggle(button) {
  button.setAttribute("aria-pressed", button.getAttribute("aria-pressed") !== "true");
  button.closest("section").querySelectorAll(".plot").forEach(showPressed);
}

function showPressed(plot) {
  const buttons = plot.closest("section").querySelectorAll("[data-entry][aria-pressed=false]");
  const hidden = new Set([...buttons].map((button) => button.dataset.entry));
  for (const line of plot.querySelectorAll("path[data-entry]")) {
    line.style.display = hidden.has(line.dataset.entry) ? "none" : "";
  }
  if (!plot.data) return;
  Plotly.restyle(plot, { visible: plot.data.map((trace) => !hidden.has(trace.legendgroup)) });
}

// The inert elements stand after this script: it waits until they are there.
addEventListener("DOMContentLoaded", () => {
  const watch = new IntersectionObserver((seen) => {
    for (const { target } of seen.filter((each) => each.isIntersecting)) {
      watch.unobserve(target);
      draw(target);
    }
  });
  document.querySelectorAll(".plot").forEach((plot) => watch.observe(plot));
});
