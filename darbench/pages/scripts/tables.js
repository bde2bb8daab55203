// The table behind a figure. Columns that hold no numbers are named in `texts`; every row begins
// with what it is of.
function tableOf({ caption, columns, texts = [], rows }) {
  const table = made("table");
  table.append(made("caption", made("span", caption)));
  const heads = columns.map((title) => cell("th", title, texts.includes(title)));
  heads.forEach((head) => head.setAttribute("scope", "col"));
  table.append(made("thead", made("tr", ...heads)));
  const body = rows.map(([first, ...others]) => {
    const head = made("th", first);
    head.setAttribute("scope", "row");
    const cells = others.map((text, i) => cell("td", text, texts.includes(columns[i + 1])));
    return made("tr", head, ...cells);
  });
  table.append(made("tbody", ...body));
  return table;
}

function made(tag, ...children) {
  const node = document.createElement(tag);
  node.append(...children);
  return node;
}

function cell(tag, text, left) {
  const node = made(tag, String(text));
  if (left) node.className = "text";
  return node;
}
