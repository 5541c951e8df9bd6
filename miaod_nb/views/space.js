// The selection space: a point an image, near where the detector's features are alike.
// A view: model, root, parts, shares (ranks of the scores), places (of the points), hovered (number
// of the point that is pointed at, -1: none), path (the line that is drawn), pictures (by id).

const MARKS = {
  pool: { text: "pool", size: 4, line: 0.6 },
  labeled: { text: "labeled", size: 5, line: 1 },
  selected: { text: "selected in this cycle", size: 6, line: 1.6 },
};
const PLAIN = "#ffffff"; // of a point without a score

function render({ model, el }) {
  const root = rootOf(el, "space", model);
  const parts = spaceParts();
  const view = { model, root, parts, shares: new Map(), places: [], hovered: -1, path: [],
    pictures: new Map() };
  root.append(parts.head, parts.body, parts.lasso);
  followPointer(view);
  const step = (by) => () => point(view, stepped(model.get("points"), view.hovered, by));
  keys(root, { Escape: () => clear(view), ArrowRight: step(1), ArrowLeft: step(-1) });
  new ResizeObserver(() => arrange(view)).observe(parts.body);
  when(model, ["points", "message"], () => build(view));
  when(model, ["lasso_ids"], () => showLasso(view));
  when(model, ["thumbnail"], () => showHover(view));
  build(view);
}

function spaceParts() {
  const canvas = element("canvas", { "data-role": "map", role: "img",
    "aria-label": "map of the images; its points are listed when they are encircled" });
  const hover = element("div", { class: "miaod-hover", "data-role": "hover", hidden: true });
  return {
    canvas, hover, head: element("div", { class: "miaod-head" }),
    body: element("div", { class: "miaod-map" }, canvas, hover),
    lasso: element("div", { class: "miaod-lasso", role: "status", "data-role": "lasso" }),
  };
}

function build(view) {
  const { model, root, parts } = view;
  const points = model.get("points");
  for (const part of [parts.head, parts.body, parts.lasso]) part.hidden = !points.length;
  if (!points.length) return;
  const scores = points.map((point) => point.score).filter((score) => score != null);
  const ordered = scores.sort((a, b) => a - b);
  view.shares = sharesByRank(ordered);
  parts.head.replaceChildren(
    element("h3", {}, model.get("heading")), legendOf(points, ordered),
    element("div", { class: "miaod-quiet" }, "Point at an image to see it, or ",
      element("kbd", {}, "←"), element("kbd", {}, "→"),
      ordered.length ? " from the most uncertain on. " : " from one to the next. ",
      "Draw around images with the mouse to get their ids; ", element("kbd", {}, "Esc"),
      " clears."));
  arrange(view);
  showLasso(view);
  ready(root);
}

/** What the marks and their colors mean; ordered: the scores, ascending. */
function legendOf(points, ordered) {
  const count = (kind) => points.filter((point) => point.kind === kind).length;
  const key = (kind) => {
    const icon = element("canvas", { width: 32, height: 32, class: "miaod-mark" });
    paintMark(icon.getContext("2d"), kind, [16, 16], ordered.length ? cividis(0.5) : PLAIN, 2, 2);
    return [icon, `${MARKS[kind].text} (${count(kind)})`];
  };
  const ramp = [0, 0.25, 0.5, 0.75, 1].map(cividis).join(",");
  const scale = () => element("span", { class: "miaod-scale", "data-role": "scale" },
    `uncertainty: lowest ${shown(ordered[0])} `,
    element("i", { style: `background: linear-gradient(to right, ${ramp})` }),
    ` highest ${shown(ordered.at(-1))} (by rank)`);
  return element("div", { class: "miaod-legend" },
    ...Object.keys(MARKS).filter(count).flatMap(key), ordered.length ? scale() : null);
}

// ---------------------------------------------------------------------------------- drawing

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

function paint({ model, parts: { canvas }, places, shares, hovered, path }) {
  if (!places.length) return;
  const context = canvas.getContext("2d");
  context.setTransform(density(), 0, 0, density(), 0, 0);
  context.clearRect(0, 0, canvas.width, canvas.height);
  const chosen = new Set(model.get("lasso_ids"));
  for (const kind of Object.keys(MARKS)) {
    model.get("points").forEach((point, i) => {
      if (point.kind !== kind) return;
      const color = point.score == null ? PLAIN : cividis(shares.get(point.score));
      paintMark(context, kind, places[i], color);
      if (chosen.has(point.id)) ring(context, places[i], 9, 2, colorOf("missed"));
    });
  }
  if (hovered >= 0) ring(context, places[hovered], 11, 3, "#000000");
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
function paintMark(context, kind, [x, y], color, zoom = 1, line = 1.2) {
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
  context.fillStyle = kind === "labeled" ? "#ffffff" : color;
  context.fill();
  context.lineWidth = line * MARKS[kind].line;
  context.strokeStyle = kind === "pool" ? "#4a4a4a" : "#000000";
  context.stroke();
}

function ring(context, [x, y], radius, width, color) {
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.lineWidth = width;
  context.strokeStyle = color;
  context.stroke();
}

// --------------------------------------------------------------------------------- pointing

/** Points at the image under the pointer; with the button pressed, a line is drawn. */
function followPointer(view) {
  const { root, parts: { canvas } } = view;
  const at = (event) => {
    const box = canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  canvas.onpointerdown = (event) => {
    if (event.button !== 0) return;
    canvas.setPointerCapture(event.pointerId);
    takeKeys(root);
    view.path = [at(event)];
    event.preventDefault();
  };
  canvas.onpointermove = (event) => {
    if (!view.path.length) return point(view, nearest(view.places, at(event)));
    view.path.push(at(event));
    paint(view);
  };
  canvas.onpointerup = () => encircle(view);
  canvas.onpointerleave = () => point(view, -1);
}

/** Ends the line around images: those inside it are chosen. */
function encircle(view) {
  const { model, path, places } = view;
  view.path = [];
  if (path.length > 2) {
    const inside = model.get("points").filter((_, i) => isInside(places[i], path));
    tell(model, "lasso_ids", inside.map(({ id }) => id));
  }
  paint(view);
}

function clear(view) {
  view.path = [];
  point(view, -1);
  tell(view.model, "lasso_ids", []);
}

/** Points at the image of a number; -1: at none. */
function point(view, index) {
  const { model } = view;
  if (index === view.hovered) return;
  view.hovered = index;
  const id = model.get("points")[index]?.id ?? "";
  if (id && !view.pictures.has(id) && model.get("wanted") !== id) tell(model, "wanted", id);
  paint(view);
  showHover(view);
}

function showHover({ model, parts: { body, hover }, pictures, places, hovered }) {
  const { id, source } = model.get("thumbnail");
  if (source) pictures.set(id, source);
  const point = model.get("points")[hovered];
  hover.hidden = !point;
  if (!point) return;
  const picture = pictures.get(point.id);
  hover.dataset.id = point.id;
  hover.replaceChildren(
    picture ? element("img", { src: picture, alt: point.id })
      : element("div", { class: "miaod-no-picture" },
        model.get("still") ? "no picture in a saved page" : "…"),
    element("div", {}, element("b", {}, point.id)),
    element("div", {}, MARKS[point.kind].text
      + (point.score == null ? "" : `, uncertainty ${shown(point.score)}`)));
  const [x, y] = places[hovered];
  const { width, height } = body.getBoundingClientRect();
  hover.style.left = x < width / 2 ? `${x + 18}px` : "";
  hover.style.right = x < width / 2 ? "" : `${width - x + 18}px`;
  hover.style.top = y < height / 2 ? `${y}px` : "";
  hover.style.bottom = y < height / 2 ? "" : `${height - y}px`;
}

function showLasso(view) {
  const ids = view.model.get("lasso_ids");
  const text = ids.length ? ` (\`ids\` of this view in Python): ${ids.join(", ")}` : "";
  const count = element("b", {}, `${counted(ids.length, "image")} encircled`);
  view.parts.lasso.replaceChildren(count, text);
  paint(view);
}
