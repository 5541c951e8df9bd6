// The selection space: a point an image, near where the detector's features are alike.
// A view: model, root, parts, ranks (of the scores, as shares), places (of the points), hovered
// (number of the point that is pointed at, -1: none), path (the line that is drawn), pictures (by
// id), timer.

function render({ model, el }) {
  const root = rootOf(el, "space", model);
  const parts = { head: element("div", { class: "miaod-head" }), ...mapParts(), ...encircledParts(),
    told: element("div", { class: "miaod-told", role: "status", "data-role": "told" }) };
  parts.main = element("div", { class: "miaod-main" }, parts.framed, parts.lasso);
  const view = { model, root, parts, ranks: new Map(), places: [], hovered: -1, path: [],
    pictures: new Map(), timer: null };
  root.append(parts.head, parts.main, parts.told);
  followPointer(view);
  keys(root, spaceKeys(view));
  let hasColors = root.isConnected; // JupyterLab shows a view only after this
  new ResizeObserver(() => {
    if (hasColors) return arrange(view);
    hasColors = root.isConnected;
    build(view);
  }).observe(parts.body);
  root.addEventListener("page", () => build(view));
  matchMedia("print").addEventListener("change", () => build(view)); // paper has its own colors
  when(model, ["points", "message"], () => build(view));
  when(model, ["lasso_ids", "gallery", "decisions", "wish", "answered", "undoable", "status",
    "closed"], () => showEncircled(view));
  when(model, ["lasso_ids"], () => paint(view));
  when(model, ["thumbnail"], () => showHover(view));
  when(model, ["message"], () =>
    root.querySelector('[data-role="message"]').scrollIntoView({ block: "nearest" }));
  build(view);
}

/** What each key does. */
function spaceKeys(view) {
  const step = (by) => () => {
    pointAt(view, stepped(view.model.get("points"), view.hovered, by));
    sayPointed(view);
  };
  const press = ({ target }) => {
    const pressed = target.closest("button, summary");
    if (pressed) return pressed.click();
    toggle(view);
    sayPointed(view);
  };
  return { Escape: () => clear(view), ArrowRight: step(1), ArrowLeft: step(-1), " ": press,
    Enter: press, u: () => wish(view, "undo"), "Ctrl+z": () => wish(view, "undo") };
}

function build(view) {
  const { model, root, parts } = view;
  const points = model.get("points");
  for (const part of [parts.head, parts.main]) part.hidden = !points.length;
  if (!points.length) return;
  const scores = points.map((point) => point.score).filter((score) => score != null);
  const ordered = scores.sort((a, b) => a - b);
  view.ranks = sharesByRank(ordered);
  const key = (name) => element("kbd", {}, name);
  parts.head.replaceChildren(
    element("h3", {}, model.get("heading")), legendOf(root, points, ordered),
    element("div", { class: "miaod-quiet" }, "Point at an image to see it, or ", key("←"), " ",
      key("→"), ordered.length ? " from the most uncertain on. " : " from one to the next. ",
      "Draw around images to see and to decide about them, or ", key("Space"),
      " one by one; ", key("Esc"), " clears."));
  nameMap(view);
  arrange(view);
  showEncircled(view);
  ready(root);
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
    if (!view.path.length) return pointAt(view, nearest(view.places, at(event)));
    view.path.push(at(event));
    paint(view);
  };
  canvas.onpointerup = () => encircle(view);
  canvas.onpointerleave = () => pointAt(view, -1);
}

/** Ends the line around images: those inside it are chosen. */
function encircle(view) {
  const { model, path, places } = view;
  view.path = [];
  if (path.length > 2) {
    const inside = model.get("points").filter((_, i) => isInside(places[i], path));
    choose(view, inside.map(({ id }) => id));
  }
  paint(view);
}

/** Takes the image that is pointed at to those encircled, or from them. */
function toggle(view) {
  const id = view.model.get("points")[view.hovered]?.id;
  if (!id) return;
  const ids = view.model.get("lasso_ids");
  choose(view, ids.includes(id) ? ids.filter((one) => one !== id) : [...ids, id]);
}

function choose({ model }, ids) {
  tell(model, "lasso_ids", inOrder(model.get("points"), ids).map(({ id }) => id));
}

function clear(view) {
  view.path = [];
  pointAt(view, -1);
  tell(view.model, "lasso_ids", []);
}

/** Points at the image of a number; -1: at none. */
function pointAt(view, index) {
  const { model } = view;
  if (index === view.hovered) return;
  view.hovered = index;
  const id = model.get("points")[index]?.id ?? "";
  if (id && !view.pictures.has(id) && model.get("wanted") !== id) tell(model, "wanted", id);
  paint(view);
  showHover(view);
}

/** What is known of an image: its kind and its uncertainty. */
function described(point) {
  const score = point.score == null ? "" : `, uncertainty ${shown(point.score)}`;
  return MARKS[point.kind].text + score;
}

/** Tells screen readers which image is pointed at. */
function sayPointed({ model, parts: { told }, hovered }) {
  const point = model.get("points")[hovered];
  if (!point) return;
  const isInside = model.get("lasso_ids").includes(point.id);
  told.textContent = `${point.id}: ${described(point)}, ${isInside ? "" : "not "}encircled`;
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
    picture ? element("img", { src: picture, alt: "" })
      : element("div", { class: "miaod-no-picture" },
        model.get("still") ? "no picture in a saved page" : "…"),
    element("div", {}, element("b", {}, point.id)), element("div", {}, described(point)));
  const [x, y] = places[hovered];
  const { width, height } = body.getBoundingClientRect();
  hover.style.left = x < width / 2 ? `${x + 18}px` : "";
  hover.style.right = x < width / 2 ? "" : `${width - x + 18}px`;
  hover.style.top = y < height / 2 ? `${y}px` : "";
  hover.style.bottom = y < height / 2 ? "" : `${height - y}px`;
}
