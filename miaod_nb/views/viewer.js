// The uncertainty viewer: an image, what is found in it, and where the classifiers differ.
// A view: model, root, parts, kept (opened payloads by id, the newest last), order (of the images),
// shot (the opened payload that is shown), awaited (id of the wanted image), asked (how many were).

const KEPT = 6; // images that the browser holds besides the embedded ones

function render({ model, el }) {
  const root = rootOf(el, "viewer", model);
  const parts = viewerParts(model);
  const state = { kept: new Map(), order: [], shot: null, awaited: "", asked: 0 };
  const view = { model, root, parts, ...state };
  root.setAttribute("role", "group");
  root.setAttribute("aria-label", "uncertainty viewer");
  root.classList.add("miaod-blank"); // until there is a picture
  root.append(...parts.rows);
  listen(view);
  keys(root, viewerKeys(view));
  follow(view);
  const fit = () => {
    foldControls(parts);
    draw(view);
  };
  new ResizeObserver(fit).observe(parts.body);
  window.addEventListener("resize", fit); // a window's height tells no observer
  fillChoices(parts, model);
  listImages(view);
  const { id } = model.get("payload");
  if (id) show(view, id);
  else ready(root);
  return () => window.removeEventListener("resize", fit);
}

/** Keeps the view in line with its model. */
function follow(view) {
  const { model, parts } = view;
  let before = model.get("settings");
  when(model, ["settings"], () => {
    const was = before;
    before = model.get("settings");
    if (was.sort !== before.sort) listImages(view);
    if (was.level !== before.level && view.shot?.place) listPlace(view, view.shot.place);
    else draw(view);
  });
  when(model, ["index", "classes", "embedded"], () => {
    fillChoices(parts, model);
    listImages(view);
  });
  when(model, ["payload"], () => {
    const { id } = model.get("payload");
    view.kept.delete(id);
    if (id && (id === view.awaited || !view.awaited)) show(view, id);
  });
  when(model, ["message"], () => model.get("message") && giveUp(view));
}

function change({ model }, news) {
  tell(model, "settings", { ...model.get("settings"), ...news });
}

// ------------------------------------------------------------------------------ which image

/** The payload of an image that is at hand; undefined if the kernel has to be asked. */
function storedPayload(model, id) {
  const payload = model.get("payload");
  return payload.id === id ? payload : model.get("embedded")[id];
}

function listImages(view) {
  const { model, parts, shot } = view;
  const all = model.get("index");
  const known = all.filter(({ id }) => !model.get("still") || storedPayload(model, id));
  view.order = sorted(known, model.get("settings").sort);
  for (const row of parts.rows) row.hidden = !view.order.length;
  const option = (image) => element("option", { value: image.id }, titleOf(image));
  parts.images.replaceChildren(...view.order.map(option));
  if (shot) parts.images.value = shot.id;
  const here = `${known.length} of ${all.length} images are kept in this page`;
  parts.kept.textContent = known.length < all.length ? here : "";
  showPosition(view);
}

function showPosition({ parts, order, shot }) {
  const at = shot ? order.findIndex(({ id }) => id === shot.id) : -1;
  const images = counted(order.length, "image");
  parts.position.textContent = at < 0 ? images : `${at + 1} of ${order.length}`;
  parts.previous.disabled = at <= 0;
  parts.next.disabled = at >= order.length - 1;
}

/** Shows an image: from what is at hand, else the kernel is asked for it. */
async function show(view, id) {
  const { model, kept, parts } = view;
  view.awaited = id;
  parts.found.textContent = "";
  const payload = storedPayload(model, id);
  if (!kept.has(id) && !payload) return ask(view, id);
  if (!kept.has(id) && !(await open(view, payload))) return;
  if (view.awaited !== id) return; // another one was wanted in the meantime
  if (view.shot && model.get("message")) model.set("message", ""); // it was about another image
  view.shot = { ...newest(kept, id), place: null };
  view.shot.listed = view.shot.panels.map(() => []);
  stopWaiting(view);
  view.root.classList.remove("miaod-blank");
  parts.images.value = id;
  tell(model, "shown", id);
  makePanels(view);
  showPosition(view);
  draw(view);
}

/** Keeps what is needed to draw an image; false, and a message, if it cannot be read. */
async function open({ model, kept }, payload) {
  try {
    const photos = await loadPhoto(payload.image);
    kept.set(payload.id, { ...payload, photos, panels: payload.panels.map(openPanel) });
    return true;
  } catch (error) {
    model.set("message", `The data of ${payload.id} cannot be shown here (${error.message}): ` +
      "perhaps another version kept them. Run the cell of this view again.");
    return false;
  }
}

/** The image of the map, now its newest; the oldest ones beyond KEPT go. */
function newest(kept, id) {
  const found = kept.get(id);
  kept.delete(id);
  kept.set(id, found);
  while (kept.size > KEPT) kept.delete(kept.keys().next().value);
  return found;
}

function ask(view, id) {
  const { model, root, parts } = view;
  root.classList.add("miaod-waiting");
  delete root.dataset.ready;
  parts.note.textContent = `Computing ${id} …`;
  view.asked += 1;
  if (model.get("message")) model.set("message", ""); // or the same one would not come again
  tell(model, "wanted", { id, asked: view.asked });
  setTimeout(() => {
    if (view.awaited !== id || !root.classList.contains("miaod-waiting")) return;
    parts.note.textContent =
      `No answer for ${id} yet: if the notebook was only opened, run the cell of this view.`;
  }, PATIENCE);
}

function stopWaiting({ root, parts }) {
  root.classList.remove("miaod-waiting");
  parts.note.textContent = "";
}

/** Stays with the image that is shown: what was wanted cannot be had, as the message says. */
function giveUp(view) {
  stopWaiting(view);
  if (view.shot) view.awaited = view.parts.images.value = view.shot.id;
  ready(view.root);
}

/** Puts away what was said, and the anchors of a place. */
function clear(view) {
  const { model, parts, shot } = view;
  parts.found.textContent = "";
  if (!shot) return;
  if (model.get("message")) tell(model, "message", "");
  if (shot.place) forgetPlace(view);
}

function move(view, by) {
  const next = view.order[view.order.findIndex(({ id }) => id === view.awaited) + by];
  if (next) show(view, next.id);
}

/** Shows the next image whose id holds the text of the search. */
function find(view) {
  const { parts, order, awaited } = view;
  const text = parts.search.value.trim().toLowerCase();
  const found = text ? matching(order, text) : [];
  if (found.length) show(view, nextOf(found, awaited).id);
  if (!text) parts.found.textContent = "";
  else if (!found.length) parts.found.textContent = `no image id contains "${text}"`;
  else parts.found.textContent = `${counted(found.length, "image")} found, Enter: the next`;
}
