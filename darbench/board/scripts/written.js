// How numbers are written in figures and in the tables behind them, as darbench/board/cells.py.
const NO_VALUE = "–";

// A number with so many significant digits, trailing zeros kept.
function significant(value, digits) {
  if (value === null || value === undefined || !Number.isFinite(value)) return NO_VALUE;
  const plain = Math.abs(value) >= 1e-4 && Math.abs(value) < 10 ** digits;
  return (plain ? value.toPrecision(digits) : Number(value.toPrecision(digits)) + "")
    .replace("-", "−");
}

// A large number such as 1.23e13, as 1.23 × 10¹³.
function power(value) {
  const [mantissa, exponent] = value.toExponential(2).split("e");
  const raised = [...String(Number(exponent))].map((c) => (c === "-" ? "⁻" : "⁰¹²³⁴⁵⁶⁷⁸⁹"[c]));
  return `${mantissa} × 10${raised.join("")}`;
}

// plotly reads texts as pseudo-HTML.
function escaped(text) {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
