// Once all else is there, the page shows what its address says.
document.querySelectorAll(".legend button").forEach((line) => {
  line.dataset.unasked = line.getAttribute("aria-pressed");
});
const restored = restore();
