// What the pointer does on the easel: it draws, chooses, shifts and stretches boxes, and pushes the
// picture. A drag: kind, at (where it began, CSS pixels on the easel), box, number (of the selected
// box) and lies (of the picture) as they were then, handle, now (the box as it would be), isFar.

const FAR = 3; // CSS pixels: a pointer that goes less far has clicked
const REACH = 8; // CSS pixels around a handle
const CURSORS = ["nwse", "ns", "nesw", "ew"]; // of the handles, those opposite alike

function followStrokes(view) {
  const { canvas } = view.parts;
  canvas.onpointerdown = (event) => beginStroke(view, event);
  canvas.onpointermove = (event) => {
    if (!view.drag) return showCursor(view, event);
    if (event.buttons) followStroke(view, event);
    else endStroke(view); // it was let go where nobody could see it
  };
  canvas.onpointerup = canvas.onlostpointercapture = () => endStroke(view);
  canvas.onpointercancel = () => leaveStroke(view);
  canvas.onmousedown = (event) => event.preventDefault(); // no scrolling by the middle button
  canvas.addEventListener("wheel", (event) => {
    const isMeant = event.ctrlKey || view.root.contains(document.activeElement);
    if (!isMeant) return; // the page scrolls until somebody works here
    event.preventDefault();
    zoom(view, Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.002)), spotOf(view, event));
  }, { passive: false });
}

/** Where a pointer is on the easel, CSS pixels. */
function spotOf({ parts: { canvas } }, event) {
  const { left, top } = canvas.getBoundingClientRect();
  return [event.clientX - left, event.clientY - top];
}

/** The place in the picture under a spot on the easel. */
function placeUnder({ lies }, [x, y]) {
  return [(x - lies.x) / lies.scale, (y - lies.y) / lies.scale];
}

/** What a drag from this spot would do. */
function strokeAt(view, at, isNew) {
  const box = drawingOf(view.model, currentTask(view).id).boxes[view.selected]?.box;
  const place = placeUnder(view, at);
  const handle = box && !isNew ? handleAt(box, place, REACH / view.lies.scale) : -1;
  const isInside = box && !isNew && isWithin(box, place);
  return { kind: handle >= 0 ? "stretch" : isInside ? "shift" : "draw", box, handle };
}

function beginStroke(view, event) {
  event.preventDefault();
  takeKeys(view.root);
  const isPush = event.button === 1 || view.isPushing;
  if (view.drag || !view.isShown || (event.button && !isPush)) return;
  const at = spotOf(view, event);
  const stroke = isPush ? { kind: "push" } : strokeAt(view, at, event.shiftKey);
  if (!isPush && view.model.get("closed")) return say(view, view.model.get("closed"));
  view.parts.canvas.setPointerCapture(event.pointerId);
  view.drag = { ...stroke, at, lies: view.lies, number: view.selected, now: null, isFar: false };
}

function followStroke(view, event) {
  const { drag, lies } = view;
  const [size, spot] = [currentTask(view).size, spotOf(view, event)];
  const by = [spot[0] - drag.at[0], spot[1] - drag.at[1]];
  drag.isFar ||= Math.hypot(...by) >= FAR;
  if (!drag.isFar) return;
  const moves = by.map((pixels) => pixels / lies.scale);
  if (drag.kind === "push") {
    const { scale, x, y } = drag.lies;
    view.lies = held({ scale, x: x + by[0], y: y + by[1] }, size, roomOf(view));
  } else if (drag.kind === "draw") {
    drag.now = spanned(placeUnder(view, drag.at), placeUnder(view, spot), size);
  } else if (drag.kind === "shift") {
    drag.now = shifted(drag.box, moves, size);
  } else {
    drag.now = stretched(drag.box, drag.handle, moves, size);
  }
  paintEasel(view);
}

function endStroke(view) {
  const { drag } = view;
  if (!drag) return;
  view.drag = null;
  if (drag.kind !== "push" && !drag.isFar) {
    const boxes = drawingOf(view.model, currentTask(view).id).boxes.map(({ box }) => box);
    const number = boxAt(boxes, placeUnder(view, drag.at), view.selected);
    if (drag.kind !== "stretch") select(view, number);
  } else if (drag.now && !isLargeEnough(drag.now)) {
    say(view, `Smaller than ${LEAST_SIDE} pixels: nothing was changed.`);
  } else if (drag.now) {
    if (drag.kind === "draw") addBox(view, drag.now);
    else replaceBox(view, drag.number, { box: drag.now });
  }
  paintEasel(view);
}

/** Ends a drag without doing anything. */
function leaveStroke(view) {
  view.drag = null;
  paintEasel(view);
}

/** The pointer says what a drag would do. */
function showCursor(view, event) {
  if (!view.isShown) return;
  const { kind, handle } = strokeAt(view, spotOf(view, event), event.shiftKey);
  const cursors = { draw: "crosshair", shift: "move", stretch: `${CURSORS[handle % 4]}-resize` };
  view.parts.canvas.style.cursor = view.isPushing ? "grab" : cursors[kind];
}
