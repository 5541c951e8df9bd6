// The viewer's captions, legends and charts, and its pictures in words.

/** What stands above a picture. */
function captionOf(panel) {
  return element("figcaption", {}, element("strong", {}, panel.title), ` · ${factsOf(panel)}`);
}

function factsOf(panel) {
  const facts = [
    panel.score == null ? "" : `score ${shown(panel.score)}`,
    panel.rank == null ? "" : `rank ${panel.rank} of ${panel.pool}`,
    panel.state === "pool" ? "" : panel.state,
  ];
  return facts.filter(Boolean).join(", ") || "not scored in this cycle";
}

/** What a picture shows, for those who do not see it. */
function wordsOf(model, shot, panel, range) {
  const now = model.get("settings");
  const stride = panel.levels[now.level]?.stride;
  const of = [
    model.get("classes")[now.class] || "all classes",
    stride ? `level of stride ${stride} px` : "all levels",
  ].join(", ");
  const layer = now.layer === "none" ? "No layer."
    : `Layer: ${NAMES[now.layer]} of ${of}, ${range.map(shown).join(" to ")}.`;
  const found = counted(shownDetections(panel).length, "prediction");
  return `Image ${shot.id}. ${panel.title}: ${factsOf(panel)}. ${layer} ` +
    `${found} with a score of ${CONTRACT.shownScore} or more${now.boxes ? "" : ", not drawn"}.`;
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
  parts.opacity.setAttribute("aria-valuetext", parts.opacityValue.textContent);
  parts.opacity.disabled = now.layer === "none";
  for (const name of ["boxes", "truth", "anchors"]) parts[name].checked = now[name];
  parts.truth.disabled = !shot.truth;
  parts.k.value = now.k;
  const total = shot.panels[0].num_anchors;
  const share = ((100 * k) / total).toPrecision(2);
  parts.kValue.textContent = `${k} of ${total} anchors (${Number(share)} %)`;
  parts.k.setAttribute("aria-valuetext", parts.kValue.textContent);
  parts.scale.textContent = now.layer === "none" ? ""
    : `Colors: ${NAMES[now.layer]}, ${shown(range[0])} (dark) to ${shown(range[1])} (bright).`;
  parts.legend.replaceChildren(...legendOf(model, shot, now, range, k));
  parts.charts.replaceChildren(...chartsOf(model, shot, now));
  parts.place.replaceChildren(...tablesOf(model, shot));
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
  if (range[0] > 0) lines.push(note("From the least to the largest value here, not from 0."));
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
    const line = element("span", { class: `miaod-line miaod-curve-${index % CURVES}` });
    return element("div", { "data-role": `at-k-${index}` }, line, text);
  });
  const words = values.map((value) => value.textContent).join("; ");
  const chart = (title, name, isRank) =>
    curveChart(title, words, ks, now.k, panels.map((panel) => panel[name]), isRank);
  return [
    chart("mean of the k largest", "means", false),
    chart("rank by this mean", "ranks", true),
    element("div", {}, ...values),
  ];
}
