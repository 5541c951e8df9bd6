// The viewer's controls.

const SHOWN_LAYERS = ["none", ...LAYERS];
const NAMES = { none: "image", ...CONTRACT.layers };

/** All elements of the viewer; `rows` stand below each other, the others are inside of them. */
function viewerParts(model) {
  const part = (tag, role, attributes = {}, ...children) =>
    element(tag, { "data-role": role, ...attributes }, ...children);
  const checkbox = (role) => part("input", role, { type: "checkbox" });
  const range = (role, name, attributes) =>
    part("input", role, { type: "range", step: 1, min: 0, "aria-label": name, ...attributes });
  const said = (role) => part("span", role, { class: "miaod-quiet", role: "status" });
  const parts = {
    previous: button("◀ previous", "previous", "the image before (←)"),
    next: button("next ▶", "next", "the next image (→)"),
    position: said("position"),
    images: part("select", "images", { "aria-label": "image" }),
    sort: part("select", "sort"),
    search: part("input", "search", { type: "search", placeholder: "image id" }),
    found: said("found"),
    note: said("note"),
    heard: part("span", "heard", { role: "status" }), // for those who do not see the table
    kept: part("span", "kept", { class: "miaod-quiet" }),
    layers: SHOWN_LAYERS.map((layer, i) => button(NAMES[layer], `layer-${layer}`, `key ${i + 1}`)),
    level: part("select", "level", { "aria-label": "feature level" }),
    classes: part("select", "class", { "aria-label": "class" }),
    opacity: range("opacity", "opacity of the layer", { max: 100 }),
    opacityValue: element("span", { class: "miaod-value" }),
    boxes: checkbox("boxes"), truth: checkbox("truth"), anchors: checkbox("anchors"),
    k: range("k", "k, the number of anchors", { max: 0 }), kValue: part("span", "k-value"),
    fold: part("summary", "more", { hidden: true },
      "More: level, class, opacity, k, boxes, order, search"),
    pictures: element("div", { class: "miaod-pictures" }),
    scale: part("span", "scale"),
    legend: part("div", "legend", { class: "miaod-legend" }),
    charts: part("div", "charts", { class: "miaod-charts" }),
    place: part("div", "place", { class: "miaod-place" }),
  };
  parts.rows = viewerRows(parts);
  return parts;
}

function viewerRows(parts) {
  const bar = (...children) => element("div", { class: "miaod-bar" }, ...children);
  const named = (text, ...children) => element("label", {}, text, " ", ...children);
  const group = (name, ...children) =>
    element("span", { class: "miaod-group", role: "group", "aria-label": name }, ...children);
  parts.more = element("details", { open: true }, parts.fold,
    bar(
      parts.level, parts.classes, named("Opacity", parts.opacity), parts.opacityValue,
      named("k", parts.k), parts.kValue,
    ),
    bar(
      element("label", {}, parts.boxes, "predictions"),
      element("label", {}, parts.truth, "ground truth"),
      element("label", {}, parts.anchors, "most uncertain anchors"),
      named("Sort", parts.sort), named("Find", parts.search), parts.found, parts.kept,
    ));
  const click = "A click lists the anchors there, b shows predictions.";
  parts.body = element("div", { class: "miaod-body" },
    element("div", { class: "miaod-shown" }, parts.note, parts.pictures,
      element("p", { class: "miaod-quiet" }, parts.scale, " ",
        element("span", { class: "miaod-click" }, click), parts.heard)),
    element("div", { class: "miaod-side" }, parts.legend, parts.charts),
    parts.place);
  return [
    bar(
      group("image", parts.previous, parts.next), parts.position, parts.images,
      group("layer", ...parts.layers),
    ),
    parts.more,
    parts.body,
    hintsOfKeys(),
  ];
}

function hintsOfKeys() {
  const texts = {
    "← →": "image", "1 – 4": "layer", "↑ ↓": "opacity", "− +": "k", b: "predictions",
    t: "ground truth", a: "anchors", m: "anchors of the most uncertain place", Esc: "clear",
  };
  return element("div", { class: "miaod-hints miaod-quiet" },
    ...Object.entries(texts).map(([key, text]) =>
      element("span", {}, element("kbd", {}, key), ` ${text}`)));
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
  on(parts.search, "input", () => { parts.found.textContent = ""; });
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
    "+": () => step(1), "=": () => step(1), "-": () => step(-1), _: () => step(-1),
    m: () => listMost(view), Escape: () => clear(view),
    b: turn("boxes"), t: turn("truth"), a: turn("anchors"), ...Object.fromEntries(layers),
  };
}
