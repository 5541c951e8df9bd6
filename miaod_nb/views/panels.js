// The viewer's pictures, one for each panel: made, clicked, drawn.

/** A picture for every panel, with its title. */
function makePanels(view) {
  const { parts, shot } = view;
  parts.body.classList.toggle("miaod-several", shot.panels.length > 1);
  parts.pictures.replaceChildren(
    ...shot.panels.map((panel, index) => {
      const canvas = element("canvas", { role: "img", "data-role": `picture-${index}` });
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
  const { model, parts, shot } = view;
  const { level } = model.get("settings");
  shot.place = place;
  shot.listed = shot.panels.map((panel) => anchorsAt(panel, ...place, level).slice(0, ROWS));
  const anchors = shot.listed[0].map((i) => shot.panels[0].details.anchors[i]);
  tell(model, "listed", { id: shot.id, place, anchors });
  const [x, y] = place.map(Math.round);
  parts.heard.textContent = `${counted(anchors.length, "anchor")} listed at x ${x}, y ${y}`;
  draw(view);
}

/** Lists the anchors at the most uncertain one of the level that is shown. */
function listMost(view) {
  if (!view.shot) return;
  const { level } = view.model.get("settings");
  const { places } = view.shot.panels[0];
  const most = places.find((place) => level < 0 || level === place.level);
  if (most) listPlace(view, [most.x, most.y]);
}

function forgetPlace(view) {
  view.shot.place = null;
  view.shot.listed = view.shot.panels.map(() => []);
  tell(view.model, "listed", {});
  draw(view);
}

function draw(view) {
  const { model, root, parts, shot } = view;
  const width = parts.body.clientWidth;
  if (!shot || !width) return;
  const settings = model.get("settings");
  const heats = shot.panels.map((panel) => settings.layer === "none" ? null
    : heatOf(panel, settings.layer, settings.level, settings.class, shot.size));
  const range = rangeOf(heats);
  const room = roomOf(width, shot.panels.length);
  const canvases = [...parts.pictures.querySelectorAll("canvas")];
  shot.panels.forEach((panel, index) => {
    const heat = heats[index] && colored(heats[index], range);
    drawPicture(canvases[index], fitCanvas(canvases[index], shot.size, ...room), {
      ...shot, panel, settings, heat, k: panel.counts[settings.k], listed: shot.listed[index],
    });
    canvases[index].setAttribute("aria-label", wordsOf(model, shot, panel, range));
  });
  placeSide(parts, width, canvases);
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
