// Lines and the bands about them, in every figure that has some.
function bandTrace(ends) {
  const there = ends.map(([x]) => x), back = ends.toReversed();
  return {
    x: [...there, ...back.map(([x]) => x)],
    y: [...ends.map(([, , high]) => high), ...back.map(([, low]) => low)],
    fill: "toself", line: { width: 0 }, mode: "lines", hoverinfo: "skip",
  };
}

function faded(colour, opacity) {
  return `rgba(${[1, 3, 5].map((i) => parseInt(colour.slice(i, i + 2), 16))}, ${opacity})`;
}
