// The easel: the picture of an image, as large as one likes, with its boxes on a canvas over it.
// Where a picture lies is { scale, x, y }: CSS pixels of one of its pixels, and of its corner.

const RIM = 12; // CSS pixels around a picture
const CLOSEST = 48; // CSS pixels of a pixel of the picture, at most
const HANDLE = 4; // half a handle's side, CSS pixels

/** Where a picture of `size` [height, width] lies that is seen in whole. */
function fitted(size, room) {
  const scale = Math.min((room[0] - 2 * RIM) / size[1], (room[1] - 2 * RIM) / size[0]);
  return held({ scale, x: 0, y: 0 }, size, room);
}

/** Where it lies when it is `factor` times as large and [x, y] on the easel stays where it is. */
function zoomed(lies, factor, [x, y], size, room) {
  const least = fitted(size, room).scale;
  const scale = Math.max(Math.min(lies.scale * factor, CLOSEST), least);
  const grown = scale / lies.scale;
  const corner = { x: x - (x - lies.x) * grown, y: y - (y - lies.y) * grown };
  return held({ scale, ...corner }, size, room);
}

/** The same, in the middle where there is room, else so that the easel is full of it. */
function held({ scale, x, y }, [height, width], room) {
  const along = (at, side, whole) => {
    const free = whole - side * scale;
    return free >= 2 * RIM ? free / 2 : Math.min(Math.max(at, free - RIM), RIM);
  };
  return { scale, x: along(x, width, room[0]), y: along(y, height, room[1]) };
}

/** Width and height of the easel, CSS pixels. */
function roomOf({ parts: { canvas } }) {
  return [canvas.clientWidth, canvas.clientHeight];
}

/** Zooms around a place on the easel, or around its middle. */
function zoom(view, factor, at = roomOf(view).map((side) => side / 2)) {
  if (!view.isShown || view.drag) return;
  const { size } = currentTask(view);
  view.lies = zoomed(view.lies, factor, at, size, roomOf(view));
  view.isWhole = view.lies.scale === fitted(size, roomOf(view)).scale;
  paintEasel(view);
}

/** Brings the whole picture in sight. */
function fitEasel(view) {
  if (!view.isShown || !roomOf(view)[0]) return; // it is not displayed yet
  Object.assign(view, { drag: null, isWhole: true });
  view.lies = fitted(currentTask(view).size, roomOf(view));
  paintEasel(view);
}

/** The easel has another size: a picture that was seen in whole still is, another stays as large. */
function refitEasel(view) {
  if (!view.lies || view.isWhole || !roomOf(view)[0]) return fitEasel(view);
  view.lies = held(view.lies, currentTask(view).size, roomOf(view));
  paintEasel(view);
}

/** The boxes as they are shown: one that is being dragged is where the pointer has it. */
function shownBoxes({ model, drag, name }, task) {
  const { boxes } = drawingOf(model, task.id);
  if (!drag?.now) return boxes;
  if (drag.kind === "draw") return [...boxes, { name, box: drag.now, score: null }];
  return boxes.map((one, i) => (i === drag.number ? changed(one, { box: drag.now }) : one));
}

function paintEasel(view) {
  const { parts: { canvas, photo }, lies, selected } = view;
  const [task, dense, room] = [currentTask(view), density(), roomOf(view)];
  const sides = room.map((side) => Math.round(side * dense));
  if (canvas.width !== sides[0]) canvas.width = sides[0];
  if (canvas.height !== sides[1]) canvas.height = sides[1];
  const context = canvas.getContext("2d");
  context.clearRect(0, 0, ...sides);
  if (!view.isShown || !lies) return; // lies: not before there is room for it
  const { style } = photo;
  [style.left, style.top] = [`${lies.x}px`, `${lies.y}px`];
  [style.width, style.height] = [1, 0].map((side) => `${task.size[side] * lies.scale}px`);
  const onCanvas = ([x, y]) =>
    [(x * lies.scale + lies.x) * dense, (y * lies.scale + lies.y) * dense];
  const placed = shownBoxes(view, task).map((one) => ({ ...one, role: roleOf(one),
    box: [...onCanvas(one.box.slice(0, 2)), ...onCanvas(one.box.slice(2))] }));
  placed.forEach(({ box, role }, i) =>
    drawBoxes(context, [box], role, 1, dense * (i === selected ? 1.5 : 1)));
  drawNames(context, placed.filter(({ box }) => isInSight(box, sides)).map(nameOnCanvas), 1, dense);
  const chosen = placed[selected];
  if (chosen) drawHandles(context, handlesOf(chosen.box), chosen.role, dense);
}

/** A suggestion that nobody touched looks like a prediction, all else like a label. */
function roleOf({ score }) {
  return score == null ? "truth" : "prediction";
}

function isInSight([x1, y1, x2, y2], [width, height]) {
  return x2 > 0 && y2 > 0 && x1 < width && y1 < height;
}

/** What `drawNames` writes at a box. */
function nameOnCanvas({ box, name, score, role }) {
  return [box, score == null ? name : `${name} ${score.toFixed(2)}`, role];
}

function drawHandles(context, places, role, dense) {
  for (const [x, y] of places) {
    for (const [color, half] of [["#ffffff", HANDLE + 1], [colorOf(role), HANDLE]]) {
      context.fillStyle = color;
      context.fillRect(x - half * dense, y - half * dense, 2 * half * dense, 2 * half * dense);
    }
  }
}
