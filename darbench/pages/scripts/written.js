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
  const digits = [...String(Number(exponent))];
  const raised = digits.map((digit) => (digit === "-" ? "⁻" : "⁰¹²³⁴⁵⁶⁷⁸⁹"[digit]));
  return `${mantissa} × 10${raised.join("")}`;
}

// A fraction in percent, with its sign.
function percent(fraction) {
  const rounded = (100 * fraction).toFixed(1).replace(/^-0\.0$/, "0.0");
  return `${Number(rounded) > 0 ? "+" : ""}${rounded} %`.replace("-", "−");
}

const sum = (values) => values.reduce((total, value) => total + value, 0);

const capital = (text) => text[0].toUpperCase() + text.slice(1);

// plotly reads texts as pseudo-HTML, and what stands between dollars as TeX.
function escaped(text) {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;")
    .replaceAll("$", "&#36;");
}
