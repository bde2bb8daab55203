// A figure as a file: a picture of it, or the tables behind it.
async function exportFigure(button) {
  const plot = button.closest("figure").querySelector(".plot"), kind = button.dataset.export;
  save(await fileOf(plot, kind), `${plot.id}.${kind}`);
}

async function fileOf(plot, kind) {
  if (kind === "csv") return new Blob([await csvOf(plot)], { type: "text/csv" });
  if (!plot.data && !plot.matches(".own")) await draw(plot);
  if (plot.matches(".own")) return pictureOf(plot.querySelector("svg"), kind);
  const white = { paper_bgcolor: "#ffffff", plot_bgcolor: "#ffffff" };
  const drawn = { data: plot.data, layout: { ...plot.layout, ...white } };
  const size = { width: 900, height: plot.layout.height, scale: kind === "png" ? 2 : 1 };
  const image = await Plotly.toImage(drawn, { ...size, format: kind, imageDataOnly: true });
  if (kind === "svg") return new Blob([image], { type: "image/svg+xml" });
  const bytes = Uint8Array.from(atob(image), (character) => character.charCodeAt(0));
  return new Blob([bytes], { type: "image/png" });
}

// What the page draws itself, as it looks in its colours; a browser makes a PNG of the SVG.
async function pictureOf(svg, kind) {
  const copy = inlined(svg), text = new XMLSerializer().serializeToString(copy);
  const blob = new Blob([text], { type: "image/svg+xml" });
  if (kind === "svg") return blob;
  const image = new Image(), address = URL.createObjectURL(blob);
  image.src = address;
  await image.decode().finally(() => URL.revokeObjectURL(address));
  const canvas = made("canvas");
  Object.assign(canvas, { width: 2 * image.width, height: 2 * image.height });
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  return new Promise((done) => canvas.toBlob(done, "image/png"));
}

const STYLES = ["fill", "stroke", "stroke-width", "stroke-opacity", "fill-opacity", "paint-order",
  "font", "text-anchor", "display"];

function inlined(svg) {
  const copy = svg.cloneNode(true), ours = [svg, ...svg.querySelectorAll("*")];
  [copy, ...copy.querySelectorAll("*")].forEach((node, at) => {
    const style = getComputedStyle(ours[at]);
    for (const name of STYLES) node.style.setProperty(name, style.getPropertyValue(name));
  });
  copy.style.background = getComputedStyle(document.body).backgroundColor;
  copy.querySelectorAll(".hit").forEach((node) => node.remove());
  return copy;
}

async function csvOf(plot) {
  const { tables } = figureOf(plot, await read(sectionOf(plot).id));
  const lines = tables.flatMap(({ columns, rows }) => [columns, ...rows]);
  return lines.map((cells) => cells.map(quoted).join(",") + "\r\n").join("");
}

// A name that a spreadsheet would take for a formula is kept from being one.
function quoted(value) {
  const text = String(value).replaceAll('"', '""');
  const formula = /^[=@+-]/.test(text) && !/^[+-][\d.]+( %)?$/.test(text);
  return `"${formula ? "'" : ""}${text}"`;
}

function save(blob, name) {
  const link = made("a"), address = URL.createObjectURL(blob);
  Object.assign(link, { href: address, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000); // a busy browser begins late
}

document.addEventListener("click", ({ target }) => {
  const button = target.closest("button[data-export]");
  if (button) exportFigure(button);
});
