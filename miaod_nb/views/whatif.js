// What if the batch had been chosen otherwise: settings on top, what they change below.

function render({ model, el }) {
  const root = rootOf(el, "whatif", model);
  const view = { model, root, parts: {} };
  for (const name of ["controls", "summary", "lists"]) {
    view.parts[name] = element("div", { class: `miaod-${name}`, "data-role": name });
  }
  const { controls, summary, lists } = view.parts;
  summary.setAttribute("role", "status");
  root.setAttribute("role", "group");
  root.setAttribute("aria-label", "what if");
  root.append(controls, summary, lists);
  when(model, ["options"], () => showControls(view));
  when(model, ["settings"], () => bringValues(view));
  when(model, ["result", "message"], () => showResult(view));
  when(model, ["pictures"], () => showLists(view));
  showControls(view);
  showResult(view);
  ready(root);
}

// -------------------------------------------------------------------------------- controls

function showControls(view) {
  const { model } = view;
  const options = model.get("options");
  view.parts.controls.hidden = !options.ks;
  if (!options.ks) return;
  const select = (name, texts) => element("select",
    { "data-role": name, onchange: (event) => change(view, { [name]: event.target.value }) },
    ...Object.entries(texts).map(([value, text]) => element("option", { value }, text)));
  const slider = (name, label, min, max, read = (value) => value) => element("input",
    { type: "range", min, max, "data-role": name, "aria-label": label,
      oninput: (event) => change(view, { [name]: read(+event.target.value) }) });
  const check = (name, read) => element("input", { type: "checkbox", "data-role": name,
    onchange: (event) => change(view, { [name]: read(event.target.checked) }) });
  const added = (name, off) => check(name, (isOn) => (isOn ? options.added[name] : off));
  const unit = select("unit", { images: "images", boxes: "boxes", minutes: "minutes" });
  unit.onchange = () => change(view, { unit: unit.value, budget: options.costs[unit.value] });
  const row = (text, ...children) => element("label", { class: "miaod-control" },
    element("span", {}, text), ...children);
  view.parts.controls.replaceChildren(
    element("h3", {}, model.get("heading")),
    row("strategy", select("strategy", options.strategies)),
    row("score of an image", select("aggregate", CONTRACT.aggregates)),
    row("k", slider("k", "k, the number of anchors", 0, options.ks.length - 1,
      (place) => options.ks[place]), element("span", { "data-role": "k-text" })),
    row("re-weighted", check("weighted", (isOn) => isOn)),
    row("shared with", select("second", { "": "no other", ...options.strategies })),
    row("share", slider("share", "share of the first strategy in percent", 10, 90),
      element("span", { "data-role": "share-text" })),
    row("no look-alikes", added("max_similarity", 1)),
    row(classesText(options), added("class_target", "")),
    row("budget", unit, slider("budget", "budget", 1, options.most),
      element("span", { "data-role": "budget-text" })),
    button("As the run has it", "reset", "the run's own settings",
      () => change(view, options.run)));
  bringValues(view);
}

/** What a class target of the run, or else an even one, is called. */
function classesText(options) {
  const target = options.added.class_target;
  return target === "even" ? "rare classes first" : `classes: ${target}`;
}

/** Brings the settings to the controls; those that the strategy does not ask are switched off. */
function bringValues(view) {
  const [settings, options] = [view.model.get("settings"), view.model.get("options")];
  const part = (role) => view.parts.controls.querySelector(`[data-role="${role}"]`);
  if (!options.ks || !part("k")) return;
  for (const name of ["strategy", "aggregate", "second", "share", "unit"]) {
    part(name).value = settings[name];
  }
  part("weighted").checked = settings.weighted;
  part("max_similarity").checked = settings.max_similarity < 1;
  part("class_target").checked = settings.class_target !== "";
  part("k").value = options.ks.indexOf(settings.k);
  const isImages = settings.unit === "images";
  part("budget").max = isImages ? options.most : 5 * options.costs[settings.unit];
  part("budget").value = settings.budget;
  const share = ((100 * settings.k) / options.anchors).toPrecision(2);
  part("k-text").textContent = `${settings.k} of ${options.anchors} anchors (${+share} %)`;
  part("share-text").textContent = `${settings.share} % and ${100 - settings.share} %`;
  part("budget-text").textContent = isImages ? counted(settings.budget, "image")
    : `about ${settings.budget} ${settings.unit}`;
  for (const name of ["k", "share", "budget"]) {
    part(name).setAttribute("aria-valuetext", part(`${name}-text`).textContent);
  }
  const asksAnchors = [settings.strategy, settings.second].includes("mi_aod");
  part("aggregate").disabled = part("weighted").disabled = !asksAnchors;
  part("k").disabled = !asksAnchors || settings.aggregate !== "mean";
  part("share").disabled = settings.second === "";
}

function change(view, changed) {
  tell(view.model, "settings", { ...view.model.get("settings"), ...changed });
  clearTimeout(view.timer);
  view.timer = setTimeout(() => showResult(view, true), PATIENCE);
  showResult(view);
}

// ---------------------------------------------------------------------------------- result

/** Whether the result is the answer to these settings. */
function isAnswer(result, settings) {
  return Object.keys(settings).every((name) => result.settings?.[name] === settings[name]);
}

/** What the numbers are about. */
function scopeOf(result, options) {
  if (isAnswer(result, options.run)) return "These are the run's own settings.";
  const same = !result.added.length && !result.dropped.length;
  return same ? "The batch does not change." : options.scope;
}

/** Why the result is not the answer to the settings; late: one would have come. */
function whyNot(model, late) {
  if (model.get("message")) return "The lists are of the settings before these.";
  if (!model.get("still") && !late) return "…";
  return "No notebook answers: run this cell again in a running notebook to see what changes.";
}

function showResult(view, late = false) {
  const { model, parts } = view;
  const [result, options] = [model.get("result"), model.get("options")];
  for (const part of [parts.summary, parts.lists]) part.hidden = !options.ks || !result.settings;
  if (parts.summary.hidden) return;
  const answered = isAnswer(result, model.get("settings"));
  view.root.toggleAttribute("data-waiting", !answered);
  const number = (role, value, text) => element("span", { class: "miaod-number" },
    element("b", { "data-role": role }, value), ` ${text}`);
  parts.summary.replaceChildren(...(answered ? [
    number("added-count", `+ ${result.added.length}`, "added"),
    number("dropped-count", `− ${result.dropped.length}`, "dropped"),
    number("kept-count", `= ${result.kept}`, "stay"),
    number("jaccard", result.jaccard.toFixed(2), "Jaccard index (1: the same batch)"),
    element("span", { class: "miaod-quiet", "data-role": "scope" }, scopeOf(result, options)),
  ] : [element("span", { class: "miaod-quiet" }, whyNot(model, late))]));
  showLists(view);
}

function showLists(view) {
  const { model, parts } = view;
  const [result, pictures] = [model.get("result"), model.get("pictures")];
  const [added, dropped] = [result.added || [], result.dropped || []];
  const list = (title, role, rows) => element("section", { "data-role": role, "aria-label": title },
    element("h4", {}, `${title}: ${rows.length || "none"}`),
    element("div", { class: "miaod-tiles", tabindex: rows.length ? 0 : null },
      ...rows.map((row) => tile(row, pictures[row.id]))));
  const changed = added.length || dropped.length;
  const ranks = changed ? "Below each image: #rank in the run → #rank with these settings"
    : "No image comes in and none falls out.";
  parts.lists.replaceChildren(
    element("p", { class: "miaod-quiet miaod-ranks", "data-role": "ranks" }, ranks),
    ...(changed ? [list("+ Added", "added", added), list("− Dropped", "dropped", dropped)] : []));
}

function tile({ id, before, after }, source) {
  const rank = (place) => (place ? `#${place}` : "–");
  return element("figure", { "data-id": id },
    source ? element("img", { src: source, alt: id, title: id })
      : element("div", { class: "miaod-no-picture" }, "no picture"),
    element("figcaption", {}, element("span", { title: id }, id),
      element("span", { class: "miaod-quiet" }, `${rank(before)} → ${rank(after)}`)));
}
