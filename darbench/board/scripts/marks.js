// Along what entries are held against each other, and at which budgets.
const AXES = {
  flops: "training FLOPs",
  seconds: "training seconds",
  samples: "training samples",
  memory: "peak memory, bytes",
  parameters: "parameters",
};
// Of these an entry has one number, whatever the budget.
const CONSTANT = ["memory", "parameters"];

function axisTitle(data, axis) {
  return axis === "seconds" && data.hw_class ? `${AXES[axis]} on ${data.hw_class}` : AXES[axis];
}

// What is worked out of a section once: the same question gets the same answer.
const answers = new WeakMap();

function once(data, question, answer) {
  if (!answers.has(data)) answers.set(data, new Map());
  const known = answers.get(data);
  if (!known.has(question)) known.set(question, answer());
  return known.get(question);
}

const entriesOnce = (data, budget, axis) =>
  once(data, `entries ${axis} ${budget}`, () => entriesAt(data, budget, axis));

const rankingOnce = (data, budget, axis = "flops") =>
  once(data, `ranking ${axis} ${budget}`, () => rescore(data, { budget, axis }));

// The budgets of the checkpoints that all entries that rank have, in order, the last of them that
// of the section. Checkpoints lie up to one step beyond their marks: a budget is where the last
// entry reaches the mark, for nobody is measured before its first checkpoint; and where a learning
// rate falls, where the first one does, so that each is read at the checkpoint of this mark.
function marksOf(data, axis = "flops", metric = data.rank_by) {
  return once(data, `marks ${axis} ${metric}`, () => {
    const { reference } = rankingOnce(data, data.budget);
    const ranking = entriesOnce(data, data.budget, "flops").filter((e) => ranks(e, data.rank_by));
    const lead = ranking.find(({ name }) => name === reference);
    const spent = ranking.flatMap((entry) => trialsOf(entry)).map((t) => spentBy(t, axis, metric));
    if (!lead || spent.some((each) => !each.length)) return [];
    const last = ranking.some(({ falls }) => falls) ? Math.min : Math.max;
    const end = axis === "flops" ? data.budget : Math.min(...spent.map((each) => each.at(-1)));
    const marks = spentBy(trialsOf(lead)[0], axis, metric)
      .map((mark) => last(...spent.map((each) => nearest(each, mark))));
    return [...new Set(marks.filter((mark) => mark < end * 0.999)), end];
  });
}

const spentBy = (trial, axis, metric) =>
  trial[axis].filter((x, i) => x > 0 && trial.metrics[metric][i] > 0);

const nearest = (spent, mark) => spent.reduce((best, x) =>
  (Math.abs(Math.log(x / mark)) < Math.abs(Math.log(best / mark)) ? x : best));
