// A figure as a file: a picture of it, or the tables behind it.
async function exportFigure(button) {
  const plot = button.closest("figure").querySelector(".plot"), kind = button.dataset.export;
  save(await fileOf(plot, kind), `${plot.id}.${kind}`);
}

async function fileOf(plot, kind) {
  if (kind === "csv") return new Blob([await csvOf(plot)], { type: "text/csv" });
  if (!plot.data) await draw(plot);
  const white = { paper_bgcolor: "#ffffff", plot_bgcolor: "#ffffff" };
  const drawn = { data: plot.data, layout: { ...plot.layout, ...white } };
  const size = { width: 900, height: plot.layout.height, scale: kind === "png" ? 2 : 1 };
  const image = await Plotly.toImage(drawn, { ...size, format: kind, imageDataOnly: true });
  if (kind === "svg") return new Blob([image], { type: "image/svg+xml" });
  const bytes = Uint8Array.from(atob(image), (character) => character.charCodeAt(0));
  return new Blob([bytes], { type: "image/png" });
}

async function csvOf(plot) {
  const data = await read(sectionOf(plot).id), { tables } = figureOf(plot, data);
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
