// What an entry is made of stands packed, with that of all others of its section, and is put into
// its place when it is opened. Jinja2 has escaped it.
const packedEntries = new Map();

// The details of all entries of a section, by anchor.
function entriesIn({ id }) {
  const name = `${id}-entries`;
  if (!packedEntries.has(name)) packedEntries.set(name, unpack(name).then(JSON.parse));
  return packedEntries.get(name);
}

async function fillEntry(details) {
  if (details.children.length > 1) return;
  const place = details.appendChild(document.createElement("div"));
  try {
    place.innerHTML = (await entriesIn(sectionOf(details)))[details.id];
    await showSource(place.querySelector("[data-source]"));
  } catch {
    place.textContent = "This browser cannot unpack the entry; results.parquet holds it too.";
  }
}

document.addEventListener("toggle", ({ target }) => {
  if (target.open && target.matches(".entry-details")) fillEntry(target);
}, true);
