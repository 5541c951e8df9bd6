// The map of the selection space, as it is painted, and the words around it.

const MARKS = {
  pool: { text: "pool", size: 4, line: 0.9 },
  labeled: { text: "labeled", size: 5, line: 1 },
  selected: { text: "selected in this cycle", size: 6, line: 1.6 },
};

/** How many of the points are of each kind, in words, of those kinds that there are. */
function countedKinds(points) {
  return Object.keys(MARKS).flatMap((kind) => {
    const count = points.filter((point) => point.kind === kind).length;
    return count ? `${count} ${MARKS[kind].text}` : [];
  });
}

/** The name of a principal component with its share of the variance. */
function axisName(number, share) {
  const percent = Number((100 * share).toPrecision(2));
  return `${["1st", "2nd"][number]} principal component: ${percent} % of the variance`;
}

/** The parts of the map: the vertical axis, the map itself, the horizontal axis. */
function mapParts() {
  const canvas = element("canvas", { "data-role": "map", role: "img" });
  const hover = element("div", { class: "miaod-hover", "data-role": "hover", hidden: true });
  const body = element("div", { class: "miaod-map" }, canvas, hover);
  const up = element("div", { class: "miaod-axis miaod-up", "data-role": "axis-y" });
  const across = element("div", { class: "miaod-axis", "data-role": "axis-x" });
  return { canvas, hover, body, up, across,
    framed: element("div", { class: "miaod-framed" }, up, body, across) };
}

/** Names the axes and the map, for eyes and for screen readers. */
function nameMap({ model, parts: { canvas, up, across } }) {
  const points = model.get("points");
  const [x, y] = model.get("shares").map((share, number) => axisName(number, share));
  const scales = haveOneScale(points) ? "both axes have the same scale"
    : "each axis has its own scale: the points lie nearly on a line";
  up.textContent = y;
  across.replaceChildren(x, element("span", { class: "miaod-quiet" }, ` (${scales})`));
  canvas.setAttribute("aria-label",
    `map of ${counted(points.length, "image")}: ${countedKinds(points).join(", ")}`);
}

/** What the marks and their colors mean; ordered: the scores, ascending. */
function legendOf(root, points, ordered) {
  const look = lookOf(root);
  const key = (kind) => {
    const count = points.filter((point) => point.kind === kind).length;
    const icon = element("canvas", { width: 32, height: 32, class: "miaod-mark",
      "aria-hidden": "true" });
    const color = ordered.length ? cividis(0.5) : look.paper;
    paintMark(icon.getContext("2d"), look, kind, [16, 16], color, 2);
    return element("span", {}, icon, ` ${MARKS[kind].text} (${count})`);
  };
  const kinds = Object.keys(MARKS).filter((kind) => points.some((point) => point.kind === kind));
  const ramp = [0, 0.25, 0.5, 0.75, 1].map(cividis).join(",");
  const scale = () => element("span", { "data-role": "scale" },
    `uncertainty: lowest ${shown(ordered[0])} `,
    element("i", { style: `background: linear-gradient(to right, ${ramp})` }),
    ` highest ${shown(ordered.at(-1))} (by rank)`);
  return element("div", { class: "miaod-legend" }, ...kinds.map(key),
    ordered.length ? scale() : null);
}

// ---------------------------------------------------------------------------------- drawing

/** The page's colors for what is painted. */
function lookOf(root) {
  return { ink: pageColor(root, "ink"), paper: pageColor(root, "paper"),
    edge: pageColor(root, "strong-edge") };
}

/** Places every point on the canvas, as large as there is room. */
function arrange(view) {
  const { width, height } = view.parts.body.getBoundingClientRect();
  const points = view.model.get("points");
  if (!width || !points.length) return;
  const { canvas } = view.parts;
  canvas.width = Math.round(width * density());
  canvas.height = Math.round(height * density());
  view.places = placesOn(points, width, height);
  paint(view);
}

function paint({ model, root, parts: { canvas }, places, ranks, hovered, path }) {
  if (!places.length) return;
  const context = canvas.getContext("2d");
  context.setTransform(density(), 0, 0, density(), 0, 0);
  context.clearRect(0, 0, canvas.width, canvas.height);
  const [look, chosen] = [lookOf(root), new Set(model.get("lasso_ids"))];
  for (const kind of Object.keys(MARKS)) {
    model.get("points").forEach((point, i) => {
      if (point.kind !== kind) return;
      const color = point.score == null ? look.paper : cividis(ranks.get(point.score));
      paintMark(context, look, kind, places[i], color);
      if (chosen.has(point.id)) ring(context, places[i], 9, 2, colorOf("missed"));
    });
  }
  if (hovered >= 0) ring(context, places[hovered], 11, 3, look.ink);
  if (path.length > 1) paintPath(context, path);
}

function paintPath(context, path) {
  context.beginPath();
  for (const [x, y] of path) context.lineTo(x, y);
  context.closePath();
  context.fillStyle = `${colorOf("missed")}1a`; // a tenth
  context.fill();
  context.setLineDash([6, 4]);
  context.lineWidth = 2;
  context.strokeStyle = colorOf("missed");
  context.stroke();
  context.setLineDash([]);
}

/** A point, `zoom` times its size: pool a disc, labeled an open triangle, selected a square. */
function paintMark(context, look, kind, [x, y], color, zoom = 1) {
  const size = MARKS[kind].size * zoom;
  context.beginPath();
  if (kind === "pool") context.arc(x, y, size, 0, 2 * Math.PI);
  else if (kind === "selected") context.rect(x - size, y - size, 2 * size, 2 * size);
  else {
    context.moveTo(x, y - size);
    context.lineTo(x + size, y + size * 0.8);
    context.lineTo(x - size, y + size * 0.8);
    context.closePath();
  }
  context.fillStyle = kind === "labeled" ? look.paper : color;
  context.fill();
  context.lineWidth = (zoom > 1 ? 2 : 1.2) * MARKS[kind].line;
  context.strokeStyle = kind === "pool" ? look.edge : look.ink;
  context.stroke();
}

function ring(context, [x, y], radius, width, color) {
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.lineWidth = width;
  context.strokeStyle = color;
  context.stroke();
}
