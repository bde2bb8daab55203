// Paired effects on the log scale and values at matched compute, as darbench/analysis/effects.py.
const LEVEL = 0.95;
const ROUNDING = 1e-12; // log differences below this come from floating point

const mean = (values) => sum(values) / values.length;

// The relative change of log differences, one a seed, with its interval and p value; null of none.
function pairedEffect(logDifferences) {
  const d = logDifferences.map((value) => (Math.abs(value) < ROUNDING ? 0 : value)), n = d.length;
  if (n === 0) return null;
  const middle = mean(d), effect = { mean: Math.expm1(middle), low: null, high: null, n, p: null };
  if (n === 1) return effect;
  const error = standardError(d, middle);
  const half = quantile(1 - LEVEL, n - 1) * error;
  const [low, high] = [Math.expm1(middle - half), Math.expm1(middle + half)];
  return { ...effect, low, high, p: pValue(d, middle / error) };
}

// The standard error of the mean of two draws or more.
function standardError(d, middle) {
  return Math.sqrt(sum(d.map((value) => (value - middle) ** 2)) / (d.length - 1) / d.length);
}

// Equal draws would divide by zero.
function pValue(d, t) {
  if (Math.max(...d) - Math.min(...d) < ROUNDING) return d[0] === 0 ? 1 : 0;
  return twoSided(t, d.length - 1);
}

// The value at `at` FLOPs, linear in log over log; null outside of the measured range.
function interpolateLog(flops, values, at) {
  const points = flops.map((x, i) => [x, values[i]]).filter(([x, y]) => x > 0 && y > 0);
  if (!points.length || !(at > 0)) return null;
  const logs = points.map(([x, y]) => [Math.log(x), Math.log(y)]);
  logs.sort(([x0, y0], [x1, y1]) => x0 - x1 || y0 - y1);
  const target = Math.log(at), last = logs.length - 1;
  if (!(logs[0][0] - 1e-9 <= target && target <= logs[last][0] + 1e-9)) return null;
  const k = logs.findLastIndex(([x]) => x <= target);
  if (k < 0 || k === last) return Math.exp(logs[Math.max(k, 0)][1]);
  const [[x0, y0], [x1, y1]] = [logs[k], logs[k + 1]];
  return Math.exp(x0 === target ? y0 : ((y1 - y0) / (x1 - x0)) * (target - x0) + y0);
}
