// The code of routings and how their papers are cited, as board/sources.py packed them.
let keptSources;

async function sourceOf(hash) {
  keptSources ??= unpack("sources").then(JSON.parse);
  const { texts, sources } = await keptSources;
  if (!Object.hasOwn(sources, hash)) return null;
  const { files, bibtex } = sources[hash];
  return { bibtex, files: files.map(([name, at]) => ({ name, text: texts[at] })) };
}

// Put the code of an entry, and its citation, into the place that its details keep for them.
async function showSource(place) {
  const source = await sourceOf(place.dataset.source);
  if (!source) {
    place.append(made("p", "The code of this source was not kept beside the ledger."));
    return;
  }
  const files = source.files.map(({ name, text }) => folded(name, made("pre", made("code", text))));
  place.append(made("h4", "Code"), ...files);
  if (source.bibtex) place.append(made("h4", "Cite it"), copyable(place.id, source.bibtex));
}

function folded(title, content) {
  const details = made("details", made("summary", title), made("div", content));
  details.className = "file";
  return details;
}

function copyable(id, text) {
  const code = made("code", text), button = buttonOf("copy", "Copy");
  Object.assign(code, { id: `${id}-text` });
  button.dataset.copy = code.id;
  const place = made("div", made("pre", code), button);
  place.className = "copyable";
  return place;
}

// The code of one source against that of another, the routings' own files first: elements.
function sourceDifference(one, other) {
  const [[mine, ...ours], [theirs, ...rest]] = [one.files, other.files];
  const names = [...new Set([...ours, ...rest].map(({ name }) => name))];
  const textIn = (files, name) => files.find((each) => each.name === name)?.text ?? "";
  const pairs = [[`${theirs.name} → ${mine.name}`, theirs.text, mine.text],
    ...names.map((name) => [name, textIn(rest, name), textIn(ours, name)])];
  const differing = pairs.filter(([, before, after]) => before !== after);
  return differing.map(([title, before, after]) => folded(title, signed(unified(before, after))));
}

const SIGNED = { "+": "ins", "-": "del" };

function signed(lines) {
  const parts = lines.map(([sign, line]) => made(SIGNED[sign] ?? "span", `${line}\n`));
  const block = made("pre", made("code", ...parts));
  block.className = "difference";
  return block;
}
