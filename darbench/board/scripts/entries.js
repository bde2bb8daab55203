// What an entry is made of stands packed, with that of all others of its section, and is put into
// its place when it is opened. Jinja2 has escaped it.
const packedEntries = new Map();

async function fillEntry(details) {
  if (details.children.length > 1) return;
  const place = details.appendChild(document.createElement("div"));
  const id = sectionOf(details).id + "-entries";
  try {
    if (!packedEntries.has(id)) packedEntries.set(id, unpack(id).then(JSON.parse));
    place.innerHTML = (await packedEntries.get(id))[details.id];
  } catch {
    place.textContent = "This browser cannot unpack the entry; results.parquet holds it too.";
  }
}

document.addEventListener("toggle", ({ target }) => {
  if (target.open && target.matches(".entry-details")) fillEntry(target);
}, true);
