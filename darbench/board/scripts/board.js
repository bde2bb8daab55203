document.documentElement.classList.add("js");

function selectText(node) {
  const range = document.createRange();
  range.selectNodeContents(node);
  getSelection().removeAllRanges();
  getSelection().addRange(range);
}

async function copy(button) {
  const code = document.getElementById(button.dataset.copy);
  try {
    await navigator.clipboard.writeText(code.textContent);
    button.textContent = "Copied";
  } catch {
    selectText(code); // an old browser, or permission refused: the keyboard shortcut is left
    button.textContent = "Selected";
  }
  setTimeout(() => { button.textContent = "Copy"; }, 2000);
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button?.dataset.copy) copy(button);
  if (button?.dataset.entry) toggle(button);
});

document.querySelectorAll(".legend button").forEach((line) => {
  line.dataset.unasked = line.getAttribute("aria-pressed");
});
const restored = restore();
