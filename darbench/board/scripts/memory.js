// What the reader had open, and where the page stood, come back when the page reloads, as it does by
// itself while a sweep runs. A tab remembers them, of this page alone.
const MEMORY = "darbench " + location.pathname;

function remembered() {
  try {
    return JSON.parse(sessionStorage.getItem(MEMORY)) ?? {};
  } catch {
    return {}; // storage is switched off: nothing is remembered
  }
}

function remember(held) {
  try {
    sessionStorage.setItem(MEMORY, JSON.stringify({ ...remembered(), ...held }));
  } catch {
    // as above
  }
}

const regions = () => [...document.querySelectorAll(".scroll")];

function openNow() {
  return [...document.querySelectorAll("details[open][id]")].map((details) => details.id);
}

// The last element with an id that begins above the window, and how far above: entries that come
// in before it move it, and what the reader looks at stays where it was.
function placeNow() {
  const above = [...document.querySelectorAll("main [id]")].filter((each) => topOf(each) <= 0);
  const last = above.filter((each) => each.getClientRects().length).at(-1);
  return last ? { id: last.id, top: topOf(last) } : { id: "", top: -scrollY };
}

const topOf = (element) => element.getBoundingClientRect().top;

// Open it now; it has been filled when the promise is kept.
function reopen(id) {
  const details = document.getElementById(id);
  if (details?.tagName !== "DETAILS") return null;
  details.open = true;
  if (details.matches(".entry-details")) return fillEntry(details);
  return details.matches(".twin") ? writeTwin(details) : null;
}

function scrollBack({ place, aside, focus }) {
  const from = document.getElementById(place.id) ?? document.documentElement;
  document.getElementById(focus)?.focus({ preventScroll: true });
  regions().forEach((region, i) => { region.scrollLeft = aside[i] ?? 0; });
  scrollBy({ top: topOf(from) - place.top, behavior: "instant" });
}

addEventListener("pagehide", () => {
  const focus = document.activeElement?.id ?? "", aside = regions().map((r) => r.scrollLeft);
  remember({ open: openNow(), place: placeNow(), aside, focus });
});

// The inert elements stand after this script, and entries are filled from them.
addEventListener("DOMContentLoaded", async () => {
  const held = remembered(), [visit] = performance.getEntriesByType("navigation");
  const again = visit?.type === "reload" && held.place;
  if (again) history.scrollRestoration = "manual";
  await Promise.all([restored, ...(held.open ?? []).map(reopen)]);
  if (again) scrollBack(held);
});
