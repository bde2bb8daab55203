// The data of a section, unpacked once and for all. What a section holds stands in its `data-held`,
// and whoever packs such data has a reader for it here.
const READERS = {};
const sections = new Map();

function read(section) {
  if (!sections.has(section)) {
    const { held } = document.getElementById(section).dataset;
    sections.set(section, READERS[held ?? "leaderboard"](section));
  }
  return sections.get(section);
}
