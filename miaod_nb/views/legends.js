// The viewer's captions, legends, charts and tables.

const ROWS = 8; // anchors that are listed for a place, at most

/** What stands above a picture. */
function captionOf(panel) {
  const facts = [
    panel.score == null ? "" : `score ${shown(panel.score)}`,
    panel.rank == null ? "" : `rank ${panel.rank} of ${panel.pool}`,
    panel.state === "pool" ? "" : panel.state,
  ].filter(Boolean).join(", ");
  const title = element("strong", {}, panel.title);
  return element("figcaption", {}, title, ` · ${facts || "not scored in this cycle"}`);
}

/** Brings controls, legends, charts and the table in line with the settings. */
function showSettings(parts, model, shot, range, k) {
  const now = model.get("settings");
  parts.layers.forEach((one, i) =>
    one.setAttribute("aria-pressed", String(SHOWN_LAYERS[i] === now.layer)),
  );
  fillLevels(parts.level, shot.panels[0].levels);
  parts.level.value = now.level;
  parts.classes.value = now.class;
  parts.sort.value = now.sort;
  parts.opacity.value = Math.round(now.opacity * 100);
  parts.opacityValue.textContent = `${Math.round(now.opacity * 100)} %`;
  parts.opacity.disabled = now.layer === "none";
  for (const name of ["boxes", "truth", "anchors"]) parts[name].checked = now[name];
  parts.truth.disabled = !shot.truth;
  parts.k.value = now.k;
  const total = shot.panels[0].num_anchors;
  const share = ((100 * k) / total).toPrecision(2);
  parts.kValue.textContent = `${k} of ${total} anchors (${Number(share)} %)`;
  parts.legend.replaceChildren(...legendOf(model, shot, now, range, k));
  parts.charts.replaceChildren(...chartsOf(model, shot, now));
  const tables = shot.panels.flatMap((panel, i) => tableOf(model, shot, panel, i, now));
  parts.place.replaceChildren(...tables);
}

function fillLevels(select, levels) {
  if (select.options.length === levels.length + 1) return;
  const one = ({ stride }, level) => element("option", { value: level }, `stride ${stride} px`);
  const all = element("option", { value: -1 }, "all levels");
  select.replaceChildren(all, ...levels.map(one));
}

/** The scale of the layer, and what the marks mean. */
function legendOf(model, shot, now, range, k) {
  const { shownScore } = CONTRACT;
  const name = model.get("classes")[now.class];
  const lines = now.layer === "none" ? [] : scaleOf(model, now, name, range);
  const isPredicted = (panel) => shownDetections(panel).some(({ label }) => label === now.class);
  if (name && !shot.panels.some(isPredicted)) {
    lines.push(note(`No ${name} is predicted here with a score of ${shownScore} or more.`));
  }
  const truth = shot.truth ? "ground truth" : "ground truth: this image is not labeled";
  const boxes = `the most uncertain ${Math.min(k, SHOWN_ANCHORS)} as boxes`;
  const anchors = k === 1 ? "the most uncertain anchor" : `the ${k} anchors as dots, ${boxes}`;
  const texts = { prediction: `prediction, score ≥ ${shownScore}`, truth, anchor: anchors };
  const wanted = { prediction: now.boxes, truth: now.truth, anchor: now.anchors };
  for (const [role, text] of Object.entries(texts)) {
    if (wanted[role]) lines.push(element("div", { class: `miaod-mark miaod-${role}` }, text));
  }
  return lines;
}

/** The colors of a layer with their values; name: of the class that is shown, if one is. */
function scaleOf(model, now, name, range) {
  const colors = Array.from({ length: 17 }, (_, i) => cividis(i / 16)).join(", ");
  const style = `background: linear-gradient(90deg, ${colors})`;
  const title = element("strong", {}, NAMES[now.layer] + (name ? ` of ${name}` : ""));
  const ends = range.map((value) => element("span", {}, shown(value)));
  const lines = [
    element("div", {}, title, `: ${model.get("units")[now.layer][name ? 1 : 0]}`),
    element("div", { class: "miaod-scale", style }),
    element("div", { class: "miaod-ends" }, ...ends),
  ];
  if (name && range[1] === 0) lines.push(note(`No anchor of this image tells of ${name}.`));
  return lines;
}

function note(text) {
  return element("div", { class: "miaod-quiet" }, text);
}

function chartsOf(model, shot, now) {
  const { panels } = shot;
  const ks = panels[0].counts; // an image of fewer anchors averages fewer
  if (!ks.length) return [];
  const values = panels.map((panel, index) => {
    const rank = panel.ranks ? `, rank ${panel.ranks[now.k]} of ${panel.ranked}` : "";
    const title = panels.length > 1 ? `${panel.title}: ` : `k = ${ks[now.k]}: `;
    const text = `${title}mean ${shown(panel.means[now.k])}${rank}`;
    const { color } = CURVE_LOOKS[index % CURVE_LOOKS.length];
    return element("div", { "data-role": `at-k-${index}`, style: `color: ${color}` }, text);
  });
  return [
    curveChart("mean of the k largest", ks, now.k, panels.map((panel) => panel.means), false),
    curveChart("rank by this mean", ks, now.k, panels.map((panel) => panel.ranks), true),
    ...values,
  ];
}

/** The numbers of the anchors at the place that was clicked. */
function tableOf(model, shot, panel, index, now) {
  if (!shot.place) return [];
  const [x, y] = shot.place.map(Math.round);
  const whose = shot.panels.length > 1 ? `${panel.title}: anchors` : "Anchors";
  const [height, width] = shot.size;
  const title = `${whose} at x ${x}, y ${y} of ${width} × ${height} pixels (image as resized)`;
  if (!shot.listed[index].length) {
    return [note(`${title}: none of the ${panel.places.length} most uncertain ones.`)];
  }
  const head = [
    "rank", "level", "size, px", "discrepancy", "weight", "re-weighted", "class", "p₁", "p₂",
  ];
  const row = (cells, tag) => element("tr", {}, ...cells.map((text) => element(tag, {}, text)));
  const body = shot.listed[index].map((i) => row(anchorRow(model, panel, i, now), "td"));
  return [element("table", {}, element("caption", {}, title), row(head, "th"), ...body)];
}

function anchorRow(model, panel, i, now) {
  const { level, box } = panel.places[i];
  const c = now.class < 0 ? mostDisputed(panel, i) : now.class;
  const { p1, p2 } = (c < 0 ? null : classNumbers(panel, i, c)) || {};
  const known = p1 !== undefined;
  return [
    i + 1, `stride ${panel.levels[level].stride}`,
    `${Math.round(box[2] - box[0])} × ${Math.round(box[3] - box[1])}`,
    ...LAYERS.map((layer) => shown(panel.details[layer][i])),
    ...(known ? [model.get("classes")[c], p1.toFixed(3), p2.toFixed(3)] : ["–", "–", "–"]),
  ];
}
