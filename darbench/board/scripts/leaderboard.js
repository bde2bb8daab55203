// The data of a leaderboard, as board/data.py writes it, and its ranking.
READERS.leaderboard = async (section) => {
  const parts = [unpack(section + "-data"), unpackNumbers(section + "-numbers")];
  const [text, numbers] = await Promise.all(parts);
  const ranking = await rankingOf(document.getElementById(section));
  return { ...filled(JSON.parse(text), numbers), ranking };
};

// Give every trial its checkpoints and its curves, which stand among the numbers in order.
function filled(data, numbers) {
  let at = 0;
  const some = (n) => Array.from(numbers.slice(at, (at += n)), (v) => (Number.isNaN(v) ? null : v));
  for (const trial of data.entries.flatMap((entry) => entry.trials)) {
    Object.assign(trial, data.grids[trial.grid]);
    trial.seconds = trial.samples.map((seen) => shareOf(trial, seen));
    const curves = data.metrics.map((metric) => [metric, some(trial.flops.length)]);
    trial.metrics = Object.fromEntries(curves);
  }
  return data;
}

// The training seconds up to a checkpoint: the trial's own, in the share of its samples. Null where
// it ran on another class of hardware than most trials did.
function shareOf({ seconds, samples }, seen) {
  return seconds && seen ? (seconds * seen) / samples.at(-1) : null;
}
