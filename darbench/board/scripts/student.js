// Student's t distribution, through the regularised incomplete beta function (DLMF 8.17.22).

// The two-sided p value of t: I_x(df / 2, 1 / 2) at x = df / (df + t^2).
function twoSided(t, df) {
  const a = df / 2, b = 1 / 2, x = df / (df + t * t), y = (t * t) / (df + t * t);
  const front = x ** a * Math.sqrt(y) / betaOfHalves(df);
  if (x < (a + 1) / (a + b + 2)) return (front * betaFraction(a, b, x)) / a;
  return 1 - (front * betaFraction(b, a, y)) / b;
}

// B(df / 2, 1 / 2), from B(1 / 2, 1 / 2) = pi and B(1, 1 / 2) = 2.
function betaOfHalves(df) {
  let value = df % 2 ? Math.PI : 2;
  for (let k = df % 2 ? 1 : 2; k < df; k += 2) value *= k / (k + 1);
  return value;
}

// The continued fraction of the incomplete beta function, by the method of Lentz.
function betaFraction(a, b, x) {
  let c = 1, d = 1 / (1 - ((a + b) * x) / (a + 1)), value = d;
  for (let m = 1; m < 1000; m++) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / (1 + even * d);
    c = 1 + even / c;
    value *= c * d;
    d = 1 / (1 + odd * d);
    c = 1 + odd / c;
    value *= c * d;
    if (Math.abs(c * d - 1) < 1e-16) break;
  }
  return value;
}

// The t that has this two-sided p value, by Newton's method: a falling, convex function, for which
// a start on the left is safe.
function quantile(p, df) {
  const key = `${p} ${df}`;
  if (!quantiles.has(key)) quantiles.set(key, solved(p, df));
  return quantiles.get(key);
}

const quantiles = new Map(); // few are asked for, and each of them often

function solved(p, df) {
  const scale = Math.sqrt(df) * betaOfHalves(df);
  const density = (t) => (1 + (t * t) / df) ** (-(df + 1) / 2) / scale;
  let t = 1;
  for (let step = 1, k = 0; Math.abs(step) > 1e-15 * t && k < 100; k++) {
    step = (twoSided(t, df) - p) / (2 * density(t));
    t += step;
  }
  return t;
}
