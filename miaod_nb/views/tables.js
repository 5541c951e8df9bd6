// The viewer's tables: the numbers of the anchors at a place that was clicked.

const ROWS = 8; // anchors that are listed for a place, at most

function tablesOf(model, shot) {
  if (!shot.place) return [];
  const several = shot.panels.length > 1;
  const [x, y] = shot.place.map(Math.round);
  const [height, width] = shot.size;
  const where = `at x ${x}, y ${y} of ${width} × ${height} pixels (image as resized)`;
  return shot.panels.map((panel, index) => {
    const title = `${several ? `${panel.title}: anchors` : "Anchors"} ${where}`;
    const listed = shot.listed[index];
    if (listed.length) return tableOf(title, columnsOf(model, panel, listed));
    return note(`${title}: none of the ${panel.places.length} most uncertain ones.`);
  });
}

/** A table of columns, each a heading and its texts. */
function tableOf(title, columns) {
  const heads = columns.map(([name]) => element("th", { scope: "col" }, name));
  const rows = columns[0][1].map((_, row) =>
    element("tr", {}, ...columns.map(([, texts]) => element("td", {}, texts[row]))));
  return element("table", {}, element("caption", {}, title),
    element("thead", {}, element("tr", {}, ...heads)), element("tbody", {}, ...rows));
}

function columnsOf(model, panel, listed) {
  const now = model.get("settings");
  const places = listed.map((i) => panel.places[i]);
  const disputed = listed.map((i) => {
    const c = now.class < 0 ? mostDisputed(panel, i) : now.class;
    const numbers = c < 0 ? null : classNumbers(panel, i, c);
    return numbers ? { name: model.get("classes")[c], ...numbers } : {};
  });
  const size = ({ box }) => `${Math.round(box[2] - box[0])} × ${Math.round(box[3] - box[1])}`;
  const ofLayer = (layer) => alike(listed.map((i) => panel.details[layer][i]));
  const share = (name) => disputed.map((one) => one[name]?.toFixed(3) ?? "–");
  return [
    ["rank", listed.map((i) => i + 1)],
    ["stride", places.map(({ level }) => panel.levels[level].stride)],
    ["size, px", places.map(size)],
    ["discrepancy", ofLayer("discrepancy")],
    ["weight", ofLayer("weight")],
    ["re-weighted", ofLayer("weighted")],
    ["class", disputed.map(({ name }) => name ?? "–")],
    ["p₁", share("p1")],
    ["p₂", share("p2")],
  ];
}

/** Numbers of a column, 0 or more, with as many decimals each: three digits of the largest one. */
function alike(values) {
  const largest = Math.max(0, ...values.filter(Number.isFinite));
  const apart = largest && (largest < 1e-4 || largest >= 1e6); // too long when written out
  const decimals = largest ? Math.max(0, 2 - Math.floor(Math.log10(largest))) : 0;
  return values.map((value) => {
    if (!Number.isFinite(value)) return "–";
    if (apart) return value.toExponential(2);
    const text = value.toFixed(decimals);
    const vanishes = value > 0 && Number(text) === 0;
    return vanishes ? `<${(10 ** -decimals).toFixed(decimals)}` : text;
  });
}
