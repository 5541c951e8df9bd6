// The uncertainty viewer: an image, what is found in it, and where the classifiers differ.
// A view: model, root, parts, kept (opened payloads by id, the newest last), order (of the images),
// shot (the opened payload that is shown), awaited (id of the wanted image), asked (how many were).

const KEPT = 6; // images that the browser holds besides the embedded ones
const LOWEST = 440; // CSS pixels that a picture may always be high
const SHARE = 0.55; // of the window's height that a picture may take where that is more

function render({ model, el }) {
  const root = rootOf(el, "viewer", model);
  const parts = viewerParts(model);
  const state = { kept: new Map(), order: [], shot: null, awaited: "", asked: 0 };
  const view = { model, root, parts, ...state };
  root.append(...parts.rows);
  listen(view);
  keys(root, viewerKeys(view));
  follow(view);
  new ResizeObserver(() => draw(view)).observe(parts.pictures);
  fillChoices(parts, model);
  listImages(view);
  const { id } = model.get("payload");
  if (id) show(view, id);
  else ready(root);
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
  for (const row of parts.rows) row.hidden = !all.length;
  const known = all.filter(({ id }) => !model.get("still") || storedPayload(model, id));
  view.order = sorted(known, model.get("settings").sort);
  const option = (image) => element("option", { value: image.id }, titleOf(image));
  parts.images.replaceChildren(...view.order.map(option));
  if (shot) parts.images.value = shot.id;
  const here = `${known.length} of ${all.length} images are kept in this page`;
  parts.kept.textContent = known.length < all.length ? here : "";
  showPosition(view);
}

function showPosition({ parts, order, shot }) {
  const at = shot ? order.findIndex(({ id }) => id === shot.id) : -1;
  parts.position.textContent = order.length ? `${at + 1} of ${order.length}` : "no images";
  parts.previous.disabled = at <= 0;
  parts.next.disabled = at < 0 || at >= order.length - 1;
}

/** Shows an image: from what is at hand, else the kernel is asked for it. */
async function show(view, id) {
  const { model, kept, parts } = view;
  view.awaited = id;
  parts.found.textContent = "";
  const payload = storedPayload(model, id);
  if (!kept.has(id) && !payload) return ask(view, id);
  if (!kept.has(id)) {
    const photos = await loadPhoto(payload.image);
    kept.set(id, { ...payload, photos, panels: payload.panels.map(openPanel) });
  }
  if (view.awaited !== id) return; // another one was wanted in the meantime
  if (view.shot && model.get("message")) model.set("message", ""); // it was about another image
  view.shot = { ...newest(kept, id), place: null };
  view.shot.listed = view.shot.panels.map(() => []);
  stopWaiting(view);
  parts.images.value = id;
  tell(model, "shown", id);
  makePanels(view);
  showPosition(view);
  draw(view);
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
      `Still waiting for ${id}: if the notebook was only opened, run the cell of this view.`;
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

// ------------------------------------------------------------------------- what is drawn

/** A picture for every panel, with its title. */
function makePanels(view) {
  const { parts, shot } = view;
  parts.body.classList.toggle("miaod-several", shot.panels.length > 1);
  parts.pictures.replaceChildren(
    ...shot.panels.map((panel, index) => {
      const canvas = element("canvas", { "data-role": `picture-${index}` });
      canvas.addEventListener("click", (event) => clicked(view, event, canvas));
      return element("figure", {}, captionOf(panel), canvas);
    }),
  );
}

function clicked(view, event, canvas) {
  const frame = canvas.getBoundingClientRect();
  const [height, width] = view.shot.size;
  listPlace(view, [
    ((event.clientX - frame.left) / frame.width) * width,
    ((event.clientY - frame.top) / frame.height) * height,
  ]);
  takeKeys(view.root);
}

/** Lists the anchors at a place, [x, y] in pixels of the image. */
function listPlace(view, place) {
  const { model, shot } = view;
  const { level } = model.get("settings");
  shot.place = place;
  shot.listed = shot.panels.map((panel) => anchorsAt(panel, ...place, level).slice(0, ROWS));
  const anchors = shot.listed[0].map((i) => shot.panels[0].details.anchors[i]);
  tell(model, "listed", { id: shot.id, place, anchors });
  draw(view);
}

function draw(view) {
  const { model, root, parts, shot } = view;
  const width = parts.pictures.clientWidth;
  if (!shot || !width) return;
  const settings = model.get("settings");
  const heats = shot.panels.map((panel) => settings.layer === "none" ? null
    : heatOf(panel, settings.layer, settings.level, settings.class, shot.size));
  const range = rangeOf(heats);
  const room = [width / shot.panels.length - 12, Math.max(LOWEST, SHARE * window.innerHeight)];
  const canvases = parts.pictures.querySelectorAll("canvas");
  shot.panels.forEach((panel, index) => {
    const heat = heats[index] && colored(heats[index], range);
    drawPicture(canvases[index], fitCanvas(canvases[index], shot.size, ...room), {
      ...shot, panel, settings, heat, k: panel.counts[settings.k], listed: shot.listed[index],
    });
  });
  showSettings(parts, model, shot, range, shot.panels[0].counts[settings.k]);
  ready(root);
}

/** The colors of a heat map, made again only when its scale has changed. */
function colored(heat, range) {
  const drawnFor = range.join();
  if (heat.drawnFor !== drawnFor) {
    Object.assign(heat, { drawnFor, canvas: heatCanvas(heat, range) });
  }
  return heat.canvas;
}
