// The selection space: a point an image, near where the detector's features are alike.

const MARKS = {
  pool: { text: "pool", size: 4 },
  labeled: { text: "labeled", size: 5 },
  selected: { text: "selected in this cycle", size: 6 },
};
const NEAR = 14; // CSS pixels from the pointer within which a point is meant

function render({ model, el }) {
  const view = new Space(model, rootOf(el, "space", model));
  when(model, ["points", "message"], () => view.build());
  when(model, ["lasso_ids"], () => view.showLasso());
  when(model, ["thumbnail"], () => view.showHover());
  view.build();
}

class Space {
  constructor(model, root) {
    Object.assign(this, { model, root, hovered: -1, path: [], pictures: new Map() });
    this.canvas = element("canvas", { "data-role": "map", role: "img",
      "aria-label": "map of the images; its points are listed when they are encircled" });
    this.hover = element("div", { class: "miaod-hover", "data-role": "hover", hidden: true });
    this.lasso = element("div", { class: "miaod-lasso", role: "status", "data-role": "lasso" });
    this.head = element("div", { class: "miaod-head" });
    this.body = element("div", { class: "miaod-map" }, this.canvas, this.hover);
    root.append(this.head, this.body, this.lasso);
    this.canvas.onpointerdown = (event) => this.begin(event);
    this.canvas.onpointermove = (event) => this.move(event);
    this.canvas.onpointerup = () => this.end();
    this.canvas.onpointerleave = () => this.point(-1);
    const step = (by) => () => this.step(by);
    keys(root, { Escape: () => this.clear(), ArrowRight: step(1), ArrowLeft: step(-1) });
    new ResizeObserver(() => this.draw()).observe(this.body);
  }

  get points() {
    return this.model.get("points");
  }

  build() {
    const some = this.points.length > 0;
    for (const part of [this.head, this.body, this.lasso]) part.hidden = !some;
    if (!some) return;
    const scores = this.points.map((point) => point.score).filter((score) => score != null);
    const ordered = scores.sort((a, b) => a - b);
    this.shares = sharesByRank(ordered);
    const count = (kind) => this.points.filter((point) => point.kind === kind).length;
    const key = (kind) => {
      const icon = element("canvas", { width: 32, height: 32, class: "miaod-mark" });
      const context = icon.getContext("2d");
      paintMark(context, kind, 16, 16, MARKS[kind].size * 2, cividis(0.5), 2);
      return [icon, `${MARKS[kind].text} (${count(kind)})`];
    };
    const ramp = [0, 0.25, 0.5, 0.75, 1].map(cividis).join(",");
    this.head.replaceChildren(
      element("h3", {}, this.model.get("heading")),
      element("div", { class: "miaod-legend" },
        ...Object.keys(MARKS).filter(count).flatMap(key),
        element("span", { class: "miaod-scale", "data-role": "scale" },
          `uncertainty: lowest ${shown(ordered[0])} `,
          element("i", { style: `background: linear-gradient(to right, ${ramp})` }),
          ` highest ${shown(ordered.at(-1))} (by rank)`)),
      element("div", { class: "miaod-quiet" }, "Point at an image to see it, or ",
        element("kbd", {}, "←"), element("kbd", {}, "→"), " from the most uncertain on. Draw ",
        "around images with the mouse to get their ids; ", element("kbd", {}, "Esc"), " clears."));
    this.draw();
    this.showLasso();
    ready(this.root);
  }

  // -------------------------------------------------------------------------------- drawing

  /** Places every point on the canvas, as large as there is room. */
  draw() {
    const { width, height } = this.body.getBoundingClientRect();
    if (!width || !this.points.length) return;
    const dense = window.devicePixelRatio || 1;
    this.canvas.width = Math.round(width * dense);
    this.canvas.height = Math.round(height * dense);
    const range = (key) => {
      const values = this.points.map((point) => point[key]);
      const [low, high] = [Math.min(...values), Math.max(...values)];
      return [low, high - low || 1];
    };
    const [[left, across], [low, up]] = [range("x"), range("y")];
    this.places = this.points.map((point) => [
      16 + ((point.x - left) / across) * (width - 32),
      height - 16 - ((point.y - low) / up) * (height - 32),
    ]);
    this.paint();
  }

  paint() {
    const context = this.canvas.getContext("2d");
    const dense = window.devicePixelRatio || 1;
    context.setTransform(dense, 0, 0, dense, 0, 0);
    context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    const chosen = new Set(this.model.get("lasso_ids"));
    for (const kind of Object.keys(MARKS)) {
      this.points.forEach((point, i) => {
        if (point.kind !== kind) return;
        const color = point.score == null ? "#ffffff" : cividis(this.shares.get(point.score));
        paintMark(context, kind, ...this.places[i], MARKS[kind].size, color, 1.2);
        if (chosen.has(point.id)) ring(context, this.places[i], 9, 2, COLORS.missed);
      });
    }
    if (this.hovered >= 0) ring(context, this.places[this.hovered], 11, 3, "#000000");
    this.paintPath(context);
  }

  paintPath(context) {
    if (this.path.length < 2) return;
    context.beginPath();
    for (const [x, y] of this.path) context.lineTo(x, y);
    context.closePath();
    context.fillStyle = "rgba(213, 94, 0, 0.10)";
    context.fill();
    context.setLineDash([6, 4]);
    context.lineWidth = 2;
    context.strokeStyle = COLORS.missed;
    context.stroke();
    context.setLineDash([]);
  }

  // ------------------------------------------------------------------------------- pointing

  at(event) {
    const box = this.canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  begin(event) {
    if (event.button !== 0) return;
    this.canvas.setPointerCapture(event.pointerId);
    this.root.focus({ preventScroll: true });
    this.path = [this.at(event)];
    event.preventDefault();
  }

  move(event) {
    if (!this.path.length) return this.point(this.nearest(this.at(event)));
    this.path.push(this.at(event));
    this.paint();
  }

  /** Ends the line around images: those inside it are chosen. */
  end() {
    const path = this.path;
    this.path = [];
    if (path.length > 2) {
      const inside = this.points.filter((_, i) => isInside(this.places[i], path));
      this.choose(inside.map((point) => point.id));
    }
    this.paint();
  }

  choose(ids) {
    this.model.set("lasso_ids", ids);
    this.model.save_changes();
    this.showLasso();
  }

  clear() {
    this.path = [];
    this.point(-1);
    this.choose([]);
  }

  nearest([x, y]) {
    let [best, least] = [-1, NEAR];
    this.places.forEach(([px, py], i) => {
      const distance = Math.hypot(px - x, py - y);
      if (distance < least) [best, least] = [i, distance];
    });
    return best;
  }

  /** Points at the next image by uncertainty. */
  step(by) {
    const order = this.points.map((_, i) => i).filter((i) => this.points[i].score != null);
    order.sort((a, b) => this.points[b].score - this.points[a].score);
    if (!order.length) return;
    const place = order.indexOf(this.hovered);
    const next = place < 0 ? 0 : Math.min(Math.max(place + by, 0), order.length - 1);
    this.point(order[next]);
  }

  point(index) {
    if (index === this.hovered) return;
    this.hovered = index;
    const id = this.points[index]?.id ?? "";
    if (id && !this.pictures.has(id) && this.model.get("wanted") !== id) {
      this.model.set("wanted", id);
      this.model.save_changes();
    }
    this.paint();
    this.showHover();
  }

  // --------------------------------------------------------------------------------- showing

  showHover() {
    const { id, source } = this.model.get("thumbnail");
    if (source) this.pictures.set(id, source);
    const point = this.points[this.hovered];
    this.hover.hidden = !point;
    if (!point) return;
    const picture = this.pictures.get(point.id);
    const none = this.model.get("still") ? "no picture in a saved page" : "…";
    this.hover.dataset.id = point.id;
    this.hover.replaceChildren(
      picture ? element("img", { src: picture, alt: point.id })
        : element("div", { class: "miaod-no-picture" }, none),
      element("div", {}, element("b", {}, point.id)),
      element("div", {}, `${MARKS[point.kind].text}, uncertainty ${shown(point.score)}`));
    const [x, y] = this.places[this.hovered];
    const { width, height } = this.body.getBoundingClientRect();
    this.hover.style.left = x < width / 2 ? `${x + 18}px` : "";
    this.hover.style.right = x < width / 2 ? "" : `${width - x + 18}px`;
    this.hover.style.top = y < height / 2 ? `${y}px` : "";
    this.hover.style.bottom = y < height / 2 ? "" : `${height - y}px`;
  }

  showLasso() {
    const ids = this.model.get("lasso_ids");
    const text = ids.length ? ` (\`ids\` of this view in Python): ${ids.join(", ")}` : "";
    this.lasso.replaceChildren(element("b", {}, `${counted(ids.length, "image")} encircled`), text);
    if (this.places) this.paint();
  }
}

/** Where each of the ascending scores stands among them: 0 the lowest, 1 the highest. */
function sharesByRank(ordered) {
  const steps = Math.max(ordered.length - 1, 1);
  return new Map(ordered.map((score) => [score, ordered.indexOf(score) / steps]));
}

/** A point: pool a disc, labeled an open triangle, selected a square. */
function paintMark(context, kind, x, y, size, color, line) {
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
  context.lineWidth = line * { pool: 0.6, labeled: 1, selected: 1.6 }[kind];
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

/** Whether a point lies inside the closed line (even-odd rule). */
function isInside([x, y], path) {
  let inside = false;
  path.forEach(([x1, y1], i) => {
    const [x2, y2] = path[(i || path.length) - 1];
    if (y1 > y !== y2 > y && x < ((x2 - x1) * (y - y1)) / (y2 - y1) + x1) inside = !inside;
  });
  return inside;
}
