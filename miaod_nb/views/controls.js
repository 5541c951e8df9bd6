// The viewer's controls.

const SHOWN_LAYERS = ["none", ...LAYERS];
const NAMES = {
  none: "image",
  discrepancy: "discrepancy",
  weight: "instance weight",
  weighted: "re-weighted",
};

/** All elements of the viewer; `rows` stand below each other, the others are inside of them. */
function viewerParts(model) {
  const part = (tag, role, attributes = {}, ...children) =>
    element(tag, { "data-role": role, ...attributes }, ...children);
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
    layers: SHOWN_LAYERS.map((layer, i) =>
      button(NAMES[layer], `layer-${layer}`, `key ${i + 1}`),
    ),
    level: part("select", "level", { "aria-label": "feature level" }),
    classes: part("select", "class", { "aria-label": "class" }),
    opacity: range("opacity", { min: 0, max: 100, step: 1 }),
    opacityValue: element("output"),
    boxes: part("input", "boxes", { type: "checkbox" }),
    truth: part("input", "truth", { type: "checkbox" }),
    anchors: part("input", "anchors", { type: "checkbox" }),
    k: range("k", { min: 0, max: 0, step: 1 }),
    kValue: part("output", "k-value"),
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
      element("label", {}, parts.anchors, "anchors of the score"),
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

/** Hands what the user does with mouse and controls on to `act`. */
function listen(parts, act) {
  parts.previous.addEventListener("click", () => act.move(-1));
  parts.next.addEventListener("click", () => act.move(1));
  parts.images.addEventListener("change", () => act.show(parts.images.value));
  parts.sort.addEventListener("change", () => act.change({ sort: parts.sort.value }));
  parts.search.addEventListener("keydown", (event) => event.key === "Enter" && act.find());
  parts.search.addEventListener("search", () => parts.search.value || act.find());
  parts.layers.forEach((one, i) =>
    one.addEventListener("click", () => act.change({ layer: SHOWN_LAYERS[i] })),
  );
  const number = (control, name, unit = 1) =>
    control.addEventListener("input", () => act.change({ [name]: Number(control.value) * unit }));
  number(parts.level, "level");
  number(parts.classes, "class");
  number(parts.opacity, "opacity", 0.01);
  number(parts.k, "k");
  for (const name of ["boxes", "truth", "anchors"]) {
    parts[name].addEventListener("change", () => act.change({ [name]: parts[name].checked }));
  }
}

/** What each key does. */
function viewerKeys(parts, { settings, change, move, model }) {
  const within = (value, most) => Math.min(Math.max(value, 0), most);
  const fade = (by) =>
    change({ opacity: within(Math.round(settings().opacity * 10 + by) / 10, 1) });
  const step = (by) => change({ k: within(settings().k + by, model.get("ks").length - 1) });
  const turn = (name) => () => change({ [name]: !settings()[name] });
  const layers = SHOWN_LAYERS.map((layer, i) => [i + 1, () => change({ layer })]);
  return {
    ArrowLeft: () => move(-1), ArrowRight: () => move(1),
    ArrowUp: () => fade(1), ArrowDown: () => fade(-1),
    "+": () => step(1), "-": () => step(-1),
    b: turn("boxes"), t: turn("truth"), a: turn("anchors"), ...Object.fromEntries(layers),
  };
}
