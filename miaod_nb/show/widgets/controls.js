// The viewer's controls, legends and tables.

const ROWS = 8; // anchors that are listed for a place, at most

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
    search: part("input", "search", { type: "search", placeholder: "part of an id" }),
    found: part("span", "found", { class: "miaod-quiet", role: "status" }),
    note: part("span", "note", { class: "miaod-quiet", role: "status" }),
    kept: part("span", "kept", { class: "miaod-quiet" }),
    layers: ["none", ...LAYERS].map((layer, i) =>
      button(NAMES[layer] || "image only", `layer-${layer}`, `key ${i + 1}`),
    ),
    level: part("select", "level"),
    classes: part("select", "class"),
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
      group(...parts.layers), named("Level", parts.level), named("Class", parts.classes),
      named("Opacity", parts.opacity), parts.opacityValue,
    ),
    bar(
      element("label", {}, parts.boxes, "predictions"), element("label", {}, parts.truth, "ground truth"),
      element("label", {}, parts.anchors, "anchors of the score"),
      named("k", parts.k), parts.kValue,
    ),
    element(
      "div", { class: "miaod-body" }, parts.pictures,
      element("div", { class: "miaod-side" }, parts.legend, parts.charts),
    ),
    parts.place,
    element(
      "div", { class: "miaod-hints miaod-quiet" },
      hint("← →", "image"), hint("1 – 4", "layer"), hint("↑ ↓", "opacity"), hint("− +", "k"),
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
    one.addEventListener("click", () => act.change({ layer: ["none", ...LAYERS][i] })),
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
  const fade = (by) => change({ opacity: within(Math.round(settings().opacity * 10 + by) / 10, 1) });
  const step = (by) => change({ k: within(settings().k + by, model.get("ks").length - 1) });
  const turn = (name) => () => change({ [name]: !settings()[name] });
  const layers = ["none", ...LAYERS].map((layer, i) => [i + 1, () => change({ layer })]);
  return {
    ArrowLeft: () => move(-1), ArrowRight: () => move(1),
    ArrowUp: () => fade(1), ArrowDown: () => fade(-1),
    "+": () => step(1), "-": () => step(-1),
    b: turn("boxes"), t: turn("truth"), a: turn("anchors"), ...Object.fromEntries(layers),
  };
}

/** What stands above a picture. */
function captionOf(panel, count) {
  const pool = panel.rank == null ? "" : `score ${shown(panel.score)}, rank ${panel.rank} of ${panel.pool}`;
  const state = { selected: "selected", labeled: "labeled", pool: "" }[panel.state];
  const facts = [pool, state].filter(Boolean).join(", ");
  const mark = count > 1 ? `${panel.title}: ` : `${panel.title} · `;
  return element("figcaption", {}, element("strong", {}, mark), facts || "not scored in this cycle");
}

/** Brings controls, legends, charts and the table in line with the settings. */
function showSettings(parts, model, shot, max, k) {
  const now = model.get("settings");
  parts.layers.forEach((one, i) =>
    one.setAttribute("aria-pressed", String(["none", ...LAYERS][i] === now.layer)),
  );
  fillLevels(parts.level, shot.panels[0].levels);
  parts.level.value = now.level;
  parts.classes.value = now.class;
  parts.sort.value = now.sort;
  parts.opacity.value = Math.round(now.opacity * 100);
  parts.opacityValue.textContent = `${Math.round(now.opacity * 100)} %`;
  for (const control of [parts.level, parts.classes, parts.opacity]) {
    control.disabled = now.layer === "none" && control !== parts.level;
  }
  for (const name of ["boxes", "truth", "anchors"]) parts[name].checked = now[name];
  parts.truth.disabled = !shot.truth;
  parts.k.value = now.k;
  const total = shot.panels[0].num_anchors;
  const share = ((100 * k) / total).toPrecision(2);
  parts.kValue.textContent = `${k} of ${total} anchors (${Number(share)} %)`;
  parts.legend.replaceChildren(...legendOf(model, shot, now, max, k));
  parts.charts.replaceChildren(...chartsOf(model, shot, now));
  parts.place.replaceChildren(...shot.panels.flatMap((panel, i) => tableOf(model, shot, panel, i, now)));
}

function fillLevels(select, levels) {
  if (select.options.length === levels.length + 1) return;
  const texts = levels.map(({ stride, shape }) => `stride ${stride} px (${shape[1]} × ${shape[0]} cells)`);
  select.replaceChildren(
    element("option", { value: -1 }, "all levels"),
    ...texts.map((text, level) => element("option", { value: level }, text)),
  );
}

/** The scale of the layer, and what the marks mean. */
function legendOf(model, shot, now, max, k) {
  const lines = [];
  const name = model.get("classes")[now.class];
  if (now.layer !== "none") {
    const colors = Array.from({ length: 17 }, (_, i) => cividis(i / 16)).join(", ");
    const bar = element("div", { class: "miaod-scale", style: `background: linear-gradient(90deg, ${colors})` });
    const unit = model.get("units")[now.layer][name ? 1 : 0];
    lines.push(
      element("div", {}, element("strong", {}, NAMES[now.layer]), name ? ` of ${name}` : "", `: ${unit}`),
      bar,
      element("div", { class: "miaod-ends" }, element("span", {}, "0"), element("span", {}, shown(max))),
    );
    if (name && max === 0) lines.push(note(`No anchor with details tells of ${name} in this image.`));
  }
  if (name && shot.panels.every((panel) => !shownDetections(panel).some((d) => d.label === now.class))) {
    lines.push(note(`No ${name} is predicted here with a score of at least ${SHOWN_SCORE}.`));
  }
  const marks = [];
  if (now.boxes) marks.push(["prediction", `prediction, score ≥ ${SHOWN_SCORE}`]);
  if (now.truth) marks.push(["truth", shot.truth ? "ground truth" : "ground truth: this image is not labeled"]);
  if (now.anchors) marks.push(["anchor", `centers of the ${k} anchors of the score; boxes: the first ${Math.min(k, SHOWN_ANCHORS)}`]);
  lines.push(...marks.map(([role, text]) => element("div", { class: `miaod-mark miaod-${role}` }, text)));
  return lines;
}

function note(text) {
  return element("div", { class: "miaod-quiet" }, text);
}

function chartsOf(model, shot, now) {
  const ks = model.get("ks");
  if (!ks.length) return [];
  const named = shot.panels.length > 1 ? [note("lines as the pictures, from left to right")] : [];
  const score = curveChart("score over k", ks, now.k, shot.panels.map((p) => p.means), false);
  const rank = curveChart("rank over k", ks, now.k, shot.panels.map((p) => p.ranks), true);
  const values = shot.panels.map((panel) => {
    const place = panel.ranks ? `, rank ${panel.ranks[now.k]} of ${panel.ranked}` : "";
    return element("div", { "data-role": "score-at-k" }, `at k = ${ks[now.k]}: score ${shown(panel.means[now.k])}${place}`);
  });
  return [score, rank, ...values, ...named];
}

/** The numbers of the anchors at the place that was clicked. */
function tableOf(model, shot, panel, index, now) {
  if (!shot.place) return [];
  const [x, y] = shot.place.map(Math.round);
  const title = `${shot.panels.length > 1 ? panel.title + ": a" : "A"}nchors at x ${x}, y ${y} (pixels)`;
  if (!shot.listed[index].length) {
    return [note(`${title}: none of the ${panel.places.length} most uncertain ones.`)];
  }
  const head = ["rank", "level", "size, px", "discrepancy", "weight", "re-weighted", "class", "p₁", "p₂"];
  const row = (cells, tag) => element("tr", {}, ...cells.map((text) => element(tag, {}, text)));
  const body = shot.listed[index].map((i) => row(anchorRow(model, panel, i, now), "td"));
  return [element("table", {}, element("caption", {}, title), row(head, "th"), ...body)];
}

function anchorRow(model, panel, i, now) {
  const { level, box } = panel.places[i];
  const c = now.class < 0 ? mostDisputed(panel, i) : now.class;
  const numbers = c < 0 ? null : classNumbers(panel, i, c);
  return [
    i + 1, `stride ${panel.levels[level].stride}`,
    `${Math.round(box[2] - box[0])} × ${Math.round(box[3] - box[1])}`,
    ...LAYERS.map((layer) => shown(panel.details[layer][i])),
    ...(numbers ? [model.get("classes")[c], numbers.p1.toFixed(3), numbers.p2.toFixed(3)] : ["–", "–", "–"]),
  ];
}
