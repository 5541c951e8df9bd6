// The viewer's controls.

const SHOWN_LAYERS = ["none", ...LAYERS];
const NAMES = { none: "image", ...CONTRACT.layers };

/** All elements of the viewer; `rows` stand below each other, the others are inside of them. */
function viewerParts(model) {
  const part = (tag, role, attributes = {}, ...children) =>
    element(tag, { "data-role": role, ...attributes }, ...children);
  const checkbox = (role) => part("input", role, { type: "checkbox" });
  const range = (role, attributes) => part("input", role, { type: "range", ...attributes });
  const parts = {
    previous: button("◀ previous", "previous", "the image before (←)"),
    next: button("next ▶", "next", "the next image (→)"),
    position: part("span", "position", { class: "miaod-quiet" }),
    images: part("select", "images", { "aria-label": "image" }),
    sort: part("select", "sort"),
    search: part("input", "search", { type: "search", placeholder: "image id" }),
    found: part("span", "found", { class: "miaod-quiet", role: "status" }),
    note: part("span", "note", { class: "miaod-quiet", role: "status" }),
    kept: part("span", "kept", { class: "miaod-quiet" }),
    layers: SHOWN_LAYERS.map((layer, i) => button(NAMES[layer], `layer-${layer}`, `key ${i + 1}`)),
    level: part("select", "level", { "aria-label": "feature level" }),
    classes: part("select", "class", { "aria-label": "class" }),
    opacity: range("opacity", { min: 0, max: 100, step: 1 }), opacityValue: element("output"),
    boxes: checkbox("boxes"), truth: checkbox("truth"), anchors: checkbox("anchors"),
    k: range("k", { min: 0, max: 0, step: 1 }), kValue: part("output", "k-value"),
    pictures: element("div", { class: "miaod-pictures" }),
    legend: part("div", "legend", { class: "miaod-legend" }),
    charts: part("div", "charts", { class: "miaod-charts" }),
    place: part("div", "place", { class: "miaod-place" }),
  };
  const side = element("div", { class: "miaod-side" }, parts.legend, parts.charts);
  parts.body = element("div", { class: "miaod-body" }, parts.pictures, side);
  parts.rows = viewerRows(parts);
  return parts;
}

function viewerRows(parts) {
  const bar = (...children) => element("div", { class: "miaod-bar" }, ...children);
  const named = (text, ...children) => element("label", {}, text, " ", ...children);
  const group = (...children) => element("span", { class: "miaod-group" }, ...children);
  const hint = (key, text) => element("span", {}, element("kbd", {}, key), ` ${text}`);
  return [
    bar(
      group(parts.previous, parts.next), parts.position, parts.images, named("Sort", parts.sort),
      named("Find", parts.search), parts.found, parts.note, parts.kept,
    ),
    bar(
      group(...parts.layers), parts.level, parts.classes,
      named("Opacity", parts.opacity, parts.opacityValue),
    ),
    bar(
      element("label", {}, parts.boxes, "predictions"),
      element("label", {}, parts.truth, "ground truth"),
      element("label", {}, parts.anchors, "most uncertain anchors"),
      named("k", parts.k), parts.kValue,
    ),
    parts.body,
    parts.place,
    element(
      "div", { class: "miaod-hints miaod-quiet" },
      hint("← →", "image"), hint("1 – 4", "layer"), hint("↑ ↓", "opacity"),
      hint("− +", "k"),
      hint("b", "predictions"), hint("t", "ground truth"), hint("a", "anchors"),
      element("span", {}, "click on the picture: the anchors there"),
    ),
  ];
}

/** The choices that depend on the run: sorting, levels, classes, k. */
function fillChoices(parts, model) {
  const option = ([value, text]) => element("option", { value }, text);
  const classes = model.get("classes").map((name, c) => [c, name]);
  parts.sort.replaceChildren(...sortings(model).map(option));
  parts.classes.replaceChildren(...[[-1, "all classes"], ...classes].map(option));
  parts.k.max = Math.max(0, model.get("ks").length - 1);
}

/** Does what the user asks for with mouse and controls. */
function listen(view) {
  const { parts } = view;
  const on = (part, kind, act) => part.addEventListener(kind, act);
  on(parts.previous, "click", () => move(view, -1));
  on(parts.next, "click", () => move(view, 1));
  on(parts.images, "change", () => show(view, parts.images.value));
  on(parts.sort, "change", () => change(view, { sort: parts.sort.value }));
  on(parts.search, "keydown", (event) => event.key === "Enter" && find(view));
  on(parts.search, "search", () => parts.search.value || find(view));
  parts.layers.forEach((one, i) =>
    on(one, "click", () => change(view, { layer: SHOWN_LAYERS[i] })));
  const numbers = { level: parts.level, class: parts.classes, k: parts.k };
  for (const [name, part] of Object.entries(numbers)) {
    on(part, "input", () => change(view, { [name]: Number(part.value) }));
  }
  on(parts.opacity, "input", () => change(view, { opacity: Number(parts.opacity.value) * 0.01 }));
  for (const name of ["boxes", "truth", "anchors"]) {
    on(parts[name], "change", () => change(view, { [name]: parts[name].checked }));
  }
}

/** What each key does. */
function viewerKeys(view) {
  const { model } = view;
  const now = () => model.get("settings");
  const fade = (by) =>
    change(view, { opacity: within(Math.round(now().opacity * 10 + by) / 10, 1) });
  const step = (by) => change(view, { k: within(now().k + by, model.get("ks").length - 1) });
  const turn = (name) => () => change(view, { [name]: !now()[name] });
  const layers = SHOWN_LAYERS.map((layer, i) => [i + 1, () => change(view, { layer })]);
  return {
    ArrowLeft: () => move(view, -1), ArrowRight: () => move(view, 1),
    ArrowUp: () => fade(1), ArrowDown: () => fade(-1),
    "+": () => step(1), "-": () => step(-1),
    b: turn("boxes"), t: turn("truth"), a: turn("anchors"), ...Object.fromEntries(layers),
  };
}
