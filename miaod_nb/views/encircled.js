// What was encircled on the map: how many images of which kind, their pictures, and what is decided
// about them. Python writes the decisions down, as for the board.

const UNSAVED = "Not saved: no notebook answers. Run this cell again in a running notebook.";
const NO_KERNEL =
  "A saved page decides nothing: run this cell in a notebook to skip or ask for images.";

function encircledParts() {
  const part = (role, tag = "p", more = {}) => element(tag, { "data-role": role, ...more });
  const inner = {
    counts: part("counts", "p", { role: "status" }), buttons: part("buttons", "div"),
    saved: part("saved", "p", { role: "status" }), gallery: part("gallery", "div"),
    ids: part("ids", "details"),
  };
  return { ...inner, lasso: element("section", { class: "miaod-lasso", "data-role": "lasso",
    "aria-label": "encircled images" }, ...Object.values(inner)) };
}

/** The points that are encircled, the most uncertain first and the labeled ones last. */
function encircledPoints(model) {
  return inOrder(model.get("points"), model.get("lasso_ids"));
}

/** How many images are encircled, and of which kind. */
function encircledText(points) {
  if (!points.length) return "No image is encircled.";
  const count = (kind) => points.filter((point) => point.kind === kind).length;
  const kinds = { labeled: MARKS.labeled.text, selected: MARKS.selected.text, pool: "other" };
  const parts = Object.entries(kinds).filter(([kind]) => count(kind));
  return `${counted(points.length, "image")} encircled: `
    + parts.map(([kind, word]) => `${count(kind)} ${word}`).join(", ");
}

function showEncircled(view, late = false) {
  const { model, parts } = view;
  const points = encircledPoints(model);
  parts.counts.textContent = encircledText(points);
  showButtons(view, points);
  showSaved(view, late);
  showGallery(view, points);
  const ids = points.map(({ id }) => id).join(", ");
  parts.ids.hidden = !ids;
  parts.ids.replaceChildren(
    element("summary", {}, "Their ids (`ids` of this view in Python)"), element("div", {}, ids));
}

// ----------------------------------------------------------------------------------- deciding

function isWaiting(model) {
  return (model.get("wish").n ?? 0) > model.get("answered");
}

/** Tells Python what is to be done with what is encircled, and says so if no answer comes. */
function wish(view, action) {
  const { model } = view;
  if (model.get("still") || model.get("closed") || isWaiting(model)) return;
  tell(model, "wish", { n: model.get("answered") + 1, action });
  takeKeys(view.root);
  clearTimeout(view.timer);
  view.timer = setTimeout(() => showEncircled(view, true), PATIENCE);
  showEncircled(view);
}

function showButtons(view, points) {
  const { model, parts: { buttons } } = view;
  const asked = points.filter((point) => point.kind !== "labeled");
  const free = asked.length;
  const tooMany = wantedWith(model, asked) > model.get("budget");
  const { text, hint } = CONTRACT.actions.skip;
  const made = [
    button(`${text} ${free}`, "skip", hint, () => wish(view, "skip")),
    button(`Ask for ${free}`, "ask", "wanted in the batch, also if not selected",
      () => wish(view, "accept")),
  ];
  const undo = button("Undo", "undo", "what held before the last Skip or Ask for holds again (u)",
    () => wish(view, "undo"));
  const off = Boolean(model.get("closed")) || isWaiting(model);
  for (const one of made) one.disabled = off || !free;
  made[1].disabled ||= tooMany;
  undo.disabled = off || !model.get("undoable");
  const notes = [
    points.length > free ? `${points.length - free} labeled left out` : "",
    free && tooMany ? `a batch has ${counted(model.get("budget"), "image")}: too many to ask for`
      : "",
  ];
  buttons.hidden = Boolean(model.get("still")) || !(points.length || model.get("undoable"));
  buttons.replaceChildren(...made, undo, element("span", { class: "miaod-quiet" },
    notes.filter(Boolean).join("; ")));
}

/** How many images would be wanted in the batch if all of these were asked for. */
function wantedWith(model, asked) {
  const labeled = new Set(
    model.get("points").filter(({ kind }) => kind === "labeled").map(({ id }) => id));
  const wanted = Object.entries(model.get("decisions"))
    .filter(([id, action]) => action === "accept" && !labeled.has(id)).map(([id]) => id);
  return new Set([...wanted, ...asked.map(({ id }) => id)]).size;
}

/** Where the decisions are saved, or why nothing is. */
function showSaved({ model, timer, parts: { saved } }, late) {
  const waits = isWaiting(model);
  if (!waits) clearTimeout(timer);
  let text = model.get("closed") || model.get("status");
  if (model.get("still")) text = model.get("lasso_ids").length ? NO_KERNEL : "";
  else if (waits) text = late ? UNSAVED : "Saving …";
  saved.textContent = text;
  saved.hidden = !text;
}

// ------------------------------------------------------------------------------------ pictures

/** The pictures that Python sent of what is encircled, and how many more there are. */
function showGallery(view, points) {
  const { model, parts: { gallery } } = view;
  const sources = new Map(model.get("gallery").map(({ id, source }) => [id, source]));
  const seen = points.filter(({ id }) => sources.has(id));
  const more = points.length - seen.length;
  const rest = model.get("still") ? "A saved page keeps no pictures of other images."
    : seen.length ? `and ${more} more` : "…";
  gallery.hidden = !points.length;
  gallery.replaceChildren(
    ...seen.map((point) => figureOf(view, point, sources.get(point.id))),
    ...(more ? [element("p", { class: "miaod-quiet", "data-role": "more" }, rest)] : []));
}

function figureOf(view, point, source) {
  const number = view.model.get("points").indexOf(point);
  const decided = CONTRACT.actions[view.model.get("decisions")[point.id]];
  const picture = source ? element("img", { src: source, alt: "" })
    : element("div", { class: "miaod-no-picture" }, "the image file is gone");
  return element("figure", { "data-id": point.id, onmouseenter: () => pointAt(view, number),
    onmouseleave: () => pointAt(view, -1) }, picture,
  element("figcaption", {}, element("span", {}, point.id),
    element("span", { class: "miaod-quiet" }, point.kind),
    decided ? element("span", {}, `${decided.mark} ${decided.word}`) : null));
}
