// The uncertainty viewer: an image, what is found in it, and where the classifiers differ.

const KEPT = 6; // images that the browser holds besides the embedded ones
const LOWEST = 440; // CSS pixels that a picture may always be high
const SHARE = 0.55; // of the window's height that a picture may take where that is more

function render({ model, el }) {
  const root = rootOf(el, "viewer", model);
  const kept = new Map(); // opened payloads by image id, the newest last
  const parts = viewerParts(model);
  root.append(...parts.rows);
  let order = [];
  let shot = null; // the opened payload that is shown
  let awaited = "";
  let asked = 0;

  const settings = () => model.get("settings");
  const change = (news) => {
    model.set("settings", { ...settings(), ...news });
    model.save_changes();
  };

  function listImages() {
    const known = model.get("index").filter(({ id }) => !model.get("still") || stored(id));
    order = sorted(known, settings().sort);
    parts.images.replaceChildren(
      ...order.map((image) => element("option", { value: image.id }, titleOf(image))),
    );
    if (shot) parts.images.value = shot.id;
    const all = model.get("index").length;
    const here = `${known.length} of ${all} images are kept in this page`;
    parts.kept.textContent = known.length < all ? here : "";
    showPlace();
  }

  function showPlace() {
    const at = shot ? order.findIndex(({ id }) => id === shot.id) : -1;
    parts.position.textContent = order.length ? `${at + 1} of ${order.length}` : "no images";
    parts.previous.disabled = at <= 0;
    parts.next.disabled = at < 0 || at >= order.length - 1;
  }

  const stored = (id) => {
    const payload = model.get("payload");
    return payload.id === id ? payload : model.get("embedded")[id];
  };

  /** Shows an image: from what is at hand, else the kernel is asked for it. */
  async function show(id) {
    awaited = id;
    parts.found.textContent = "";
    if (!kept.has(id) && !stored(id)) {
      ask(id);
      return;
    }
    if (!kept.has(id)) {
      const payload = stored(id);
      const photos = await loadPhoto(payload.image);
      kept.set(id, { ...payload, photos, panels: payload.panels.map(openPanel) });
    }
    if (awaited !== id) return; // another one was wanted in the meantime
    if (shot && model.get("message")) model.set("message", ""); // it was about another image
    const news = kept.get(id);
    kept.delete(id);
    kept.set(id, news);
    while (kept.size > KEPT) kept.delete(kept.keys().next().value);
    shot = news;
    root.classList.remove("miaod-waiting");
    parts.note.textContent = "";
    parts.images.value = id;
    clearPlace();
    model.set("shown", id);
    model.save_changes();
    makePanels();
    showPlace();
    draw();
  }

  function ask(id) {
    root.classList.add("miaod-waiting");
    delete root.dataset.ready;
    parts.note.textContent = `Computing ${id} …`;
    asked += 1;
    if (model.get("message")) model.set("message", ""); // or the same one would not come again
    model.set("wanted", { id, asked });
    model.save_changes();
    setTimeout(() => {
      if (awaited !== id || !root.classList.contains("miaod-waiting")) return;
      parts.note.textContent =
        `Still waiting for ${id}: if the notebook was only opened, run the cell of this view.`;
    }, 5000);
  }

  function move(by) {
    const at = order.findIndex(({ id }) => id === awaited);
    const next = order[at + by];
    if (next) show(next.id);
  }

  function find() {
    const text = parts.search.value.trim().toLowerCase();
    const found = order.filter(({ id }) => id.toLowerCase().includes(text));
    if (!text) parts.found.textContent = "";
    else if (!found.length) parts.found.textContent = `no image id contains "${text}"`;
    else {
      const at = found.findIndex(({ id }) => id === awaited);
      const next = found[(at + 1) % found.length];
      show(next.id);
      parts.found.textContent = `${counted(found.length, "image")} found, Enter: the next`;
    }
  }

  /** A picture for every panel, with its title. */
  function makePanels() {
    parts.body.classList.toggle("miaod-several", shot.panels.length > 1);
    parts.pictures.replaceChildren(
      ...shot.panels.map((panel, index) => {
        const canvas = element("canvas", { "data-role": `picture-${index}` });
        canvas.addEventListener("click", (event) => clicked(event, canvas));
        return element("figure", {}, captionOf(panel), canvas);
      }),
    );
  }

  function clicked(event, canvas) {
    const frame = canvas.getBoundingClientRect();
    const [height, width] = shot.size;
    place([
      ((event.clientX - frame.left) / frame.width) * width,
      ((event.clientY - frame.top) / frame.height) * height,
    ]);
    root.focus({ preventScroll: true });
  }

  function place(spot) {
    shot.place = spot;
    const { level } = settings();
    shot.listed = shot.panels.map((panel) => anchorsAt(panel, ...spot, level).slice(0, ROWS));
    const numbers = shot.listed[0].map((i) => shot.panels[0].details.anchors[i]);
    model.set("listed", { id: shot.id, place: spot, anchors: numbers });
    model.save_changes();
    draw();
  }

  function clearPlace() {
    shot.place = null;
    shot.listed = shot.panels.map(() => []);
  }

  function draw() {
    const width = parts.pictures.clientWidth;
    if (!shot || !width) return;
    const now = settings();
    const heats = shot.panels.map((panel) =>
      now.layer === "none" ? null : heatOf(panel, now.layer, now.level, now.class, shot.size),
    );
    const max = Math.max(0, ...heats.map((heat) => (heat ? heat.max : 0)));
    const room = width / shot.panels.length - 12;
    const highest = Math.max(LOWEST, SHARE * window.innerHeight);
    shot.panels.forEach((panel, index) => {
      const canvas = parts.pictures.querySelectorAll("canvas")[index];
      const scale = fitCanvas(canvas, shot.size, room, highest);
      const heat = heats[index] && colored(heats[index], max);
      const seen = { photos: shot.photos, truth: shot.truth, settings: now, place: shot.place };
      drawPicture(canvas, scale, {
        ...seen, panel, heat, k: panel.counts[now.k], listed: shot.listed[index],
      });
    });
    showSettings(parts, model, shot, max, shot.panels[0].counts[now.k]);
    ready(root);
  }

  /** The colors of a heat map, made again only when its scale has changed. */
  function colored(heat, max) {
    if (heat.drawnFor !== max) {
      heat.drawnFor = max;
      heat.canvas = heatCanvas(heat, max);
    }
    return heat.canvas;
  }

  listen(parts, { change, move, show, find });
  keys(root, viewerKeys(parts, { settings, change, move, model }));
  let before = settings();
  when(model, ["settings"], () => {
    const was = before;
    before = settings();
    if (was.sort !== before.sort) listImages();
    if (was.level !== before.level && shot && shot.place) place(shot.place);
    else draw();
  });
  when(model, ["index", "classes", "embedded"], () => {
    fillChoices(parts, model);
    listImages();
  });
  when(model, ["payload"], () => {
    const { id } = model.get("payload");
    kept.delete(id);
    if (id && (id === awaited || !awaited)) show(id);
  });
  when(model, ["message"], () => {
    if (!model.get("message")) return;
    root.classList.remove("miaod-waiting");
    parts.note.textContent = "";
    if (shot) [awaited, parts.images.value] = [shot.id, shot.id];
    ready(root);
  });
  new ResizeObserver(draw).observe(parts.pictures);
  fillChoices(parts, model);
  listImages();
  const { id } = model.get("payload");
  if (id) show(id);
  else ready(root);
}
