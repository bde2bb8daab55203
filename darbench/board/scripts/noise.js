// How far the mean of an entry may lie from that of the reference by chance alone, on the log
// scale: what as many seeds as the reference has cannot tell from 0. It is the half width of the
// 95 % t interval whose deviation is pooled over all entries that rank, as in
// darbench/analysis/noise.py; null where no entry shares two seeds with the reference.
function noiseFloor(entries, reference, metric) {
  const others = entries.filter((entry) => entry !== reference && ranks(entry, metric));
  const draws = others.map((entry) => logDifferences(entry, reference, metric))
    .filter((d) => d.length > 1);
  if (!draws.length) return null;
  const free = sum(draws.map((d) => d.length - 1));
  const squares = draws.map((d) => sum(d.map((value) => (value - mean(d)) ** 2)));
  const seeds = done(reference, metric).length;
  return quantile(1 - LEVEL, free) * Math.sqrt(sum(squares) / free / seeds);
}
