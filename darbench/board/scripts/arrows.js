// Arrows move among the controls of a ranking: up and down between rows, left and right within one;
// Home and End go to its first and its last entry.
const ARROWS = {
  ArrowUp: ({ row, at }) => [row - 1, at],
  ArrowDown: ({ row, at }) => [row + 1, row ? at : 0], // below a heading stands the entry's link
  ArrowLeft: ({ row, at }) => [row, at - 1],
  ArrowRight: ({ row, at }) => [row, at + 1],
  Home: ({ at, row }) => [1, row ? at : 0],
  End: ({ at, row, rows }) => [rows.length - 1, row ? at : 0],
};

const controlsIn = (row) => [...row.querySelectorAll("a, button:not(:disabled)")]
  .filter((control) => control.getClientRects().length);

document.addEventListener("keydown", (event) => {
  const { target, key } = event, table = target.closest(".ranking");
  if (!table || !Object.hasOwn(ARROWS, key)) return;
  if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
  const rows = [...table.rows].filter(({ hidden }) => !hidden);
  const from = target.closest("tr"), row = rows.indexOf(from);
  const [next, at] = ARROWS[key]({ rows, row, at: controlsIn(from).indexOf(target) });
  const controls = rows[next] ? controlsIn(rows[next]) : [];
  const control = controls[next === row ? at : Math.min(at, controls.length - 1)];
  if (!control) return;
  control.focus();
  event.preventDefault();
});
