// While a sweep runs the page reloads once nobody has touched it for a while, unless its reader
// stops that. A page without the button, as a finished one, has no timer.
const reloading = document.querySelector("[data-reload]");
let reloadTimer, stopped = Boolean(remembered().stopped);

function startOver() {
  clearTimeout(reloadTimer);
  if (stopped) return;
  reloadTimer = setTimeout(() => location.reload(), 1000 * reloading.dataset.reload);
}

function showReloading() {
  reloading.textContent = stopped ? "Reload again" : "Stop reloading";
  startOver();
}

if (reloading) {
  showReloading();
  reloading.addEventListener("click", () => {
    stopped = !stopped;
    remember({ stopped });
    showReloading();
  });
  const touches = ["pointerdown", "keydown", "scroll", "input"];
  touches.forEach((touch) => addEventListener(touch, startOver, { passive: true }));
}
