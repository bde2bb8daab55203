// How two texts differ, line by line, as a unified difference.
const CONTEXT = 3; // lines around a change
const LARGEST = 4e6; // pairs of lines that are held against each other

// Lines with a sign: " " of both, "-" of the first alone, "+" of the second alone.
function lineDifference(one, other) {
  const [a, b] = [one, other].map((text) => text.replace(/\n$/, "").split("\n"));
  let start = 0, end = 0;
  while (start < Math.min(a.length, b.length) && a[start] === b[start]) start++;
  const left = Math.min(a.length, b.length) - start;
  while (end < left && a.at(-1 - end) === b.at(-1 - end)) end++;
  const same = (line) => [" ", line];
  const middle = changed(a.slice(start, a.length - end), b.slice(start, b.length - end));
  return [...a.slice(0, start).map(same), ...middle, ...a.slice(a.length - end).map(same)];
}

// By the longest common subsequence; texts too long for its table are replaced as wholes.
function changed(a, b) {
  const width = b.length + 1, gone = (line) => ["-", line], come = (line) => ["+", line];
  if (a.length * b.length > LARGEST) return [...a.map(gone), ...b.map(come)];
  const longest = new Uint16Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      const at = i * width + j;
      longest[at] = a[i] === b[j] ? longest[at + width + 1] + 1
        : Math.max(longest[at + width], longest[at + 1]);
    }
  }
  const lines = [];
  let i = 0, j = 0;
  while (i < a.length && j < b.length) {
    const at = i * width + j;
    if (a[i] === b[j]) lines.push([" ", a[i++]]), j++;
    else if (longest[at + width] >= longest[at + 1]) lines.push(gone(a[i++]));
    else lines.push(come(b[j++]));
  }
  return [...lines, ...a.slice(i).map(gone), ...b.slice(j).map(come)];
}

// The lines of a unified difference: a head "@@ -1,4 +1,5 @@" and its lines, for each hunk.
function unified(one, other) {
  const lines = lineDifference(one, other), near = nearChanges(lines), shown = [];
  const seen = { "-": 0, "+": 0 };
  lines.forEach(([sign, line], at) => {
    if (near[at] && !near[at - 1]) {
      const end = near.indexOf(false, at), hunk = lines.slice(at, end < 0 ? lines.length : end);
      const spans = ["-", "+"].map((side) => spanOf(hunk, side, seen[side]));
      shown.push(["@", `@@ ${spans.join(" ")} @@`]);
    }
    if (near[at]) shown.push([sign, sign + line]);
    for (const side of ["-", "+"]) if (sign === " " || sign === side) seen[side]++;
  });
  return shown;
}

function spanOf(hunk, side, seen) {
  const count = hunk.filter(([sign]) => sign === " " || sign === side).length;
  return `${side}${count ? seen + 1 : seen},${count}`;
}

function nearChanges(lines) {
  const near = lines.map(() => false);
  lines.forEach(([sign], at) => {
    if (sign !== " ") near.fill(true, Math.max(0, at - CONTEXT), at + CONTEXT + 1);
  });
  return near;
}
