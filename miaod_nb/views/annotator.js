// The annotator: a batch is labeled image by image, by keys and mouse; Python keeps what is drawn.
// A view: model, root, parts, at (number of the image), selected (number of its box, -1: none), name
// (class of the next box), added (names that were typed), isShown (whether the picture is there),
// lies (where: see easel.js), isWhole (whether all of it is in sight), drag (see strokes.js),
// isPushing (whether Space is held), undoing and redoing ({ id, before, after } each), seconds (by
// id), seen (when somebody last did something), timer.

const IDLE = 20_000; // milliseconds without mouse and keys, after which nobody is taken to work
const STEP = 1.5; // by which the keys + and - zoom

function render({ model, el }) {
  const root = rootOf(el, "annotator", model);
  const view = { model, root, parts: null, at: 0, selected: -1, name: "", added: [], isShown: false,
    lies: null, isWhole: true, drag: null, isPushing: false, undoing: [], redoing: [],
    seconds: new Map(), seen: -Infinity, timer: null };
  view.parts = annotatorParts(view);
  root.setAttribute("role", "group");
  root.setAttribute("aria-label", "Annotator");
  root.append(...view.parts.shown);
  for (const kind of ["pointermove", "pointerdown", "wheel", "keydown"]) {
    root.addEventListener(kind, () => countTime(view), { capture: true, passive: true });
  }
  keys(root, annotatorKeys(view));
  root.addEventListener("keyup", ({ key }) => key === " " && (view.isPushing = false));
  followStrokes(view);
  new ResizeObserver(() => refitEasel(view)).observe(view.parts.easel);
  when(model, ["tasks"], () => build(view));
  when(model, ["wanted"], () => follow(view));
  when(model, ["picture"], () => showPicture(view));
  when(model, ["events", "saved", "drawings", "status", "handed", "result", "closed", "classes"],
    () => refresh(view));
  build(view);
}

function annotatorKeys(view) {
  const press = (otherwise) => ({ target }) =>
    (target.matches("button, summary") ? target.click() : otherwise());
  const once = (work) => ({ repeat }) => repeat || work(view); // not while it is held down
  const undoOrRedo = ({ shiftKey }) => (shiftKey ? redo(view) : undo(view));
  const digits = Array.from({ length: 9 }, (_, i) =>
    [i + 1, () => chooseName(view, namesOf(view.model, view.added)[i])]);
  return {
    ArrowLeft: () => go(view, view.at - 1), ArrowRight: () => go(view, view.at + 1),
    Enter: (event) => event.repeat || press(() => finish(view))(event),
    n: once(finishEmpty), s: once(askWhy),
    Delete: () => removeBox(view), Backspace: () => removeBox(view),
    "Ctrl+z": undoOrRedo, "Ctrl+Z": undoOrRedo, "Ctrl+y": () => redo(view),
    "+": () => zoom(view, STEP), "=": () => zoom(view, STEP), "-": () => zoom(view, 1 / STEP),
    f: () => fitEasel(view), " ": press(() => (view.isPushing = true)),
    Escape: () => (view.drag ? leaveStroke(view) : select(view, -1)),
    ...Object.fromEntries(digits),
  };
}

function currentTask({ model, at }) {
  return model.get("tasks")[at];
}

/** Adds the time since somebody last did something to the image, if it is not too long. */
function countTime(view) {
  const [task, now] = [currentTask(view), performance.now()];
  if (task && now - view.seen < IDLE) {
    view.seconds.set(task.id, secondsOf(view, task.id) + (now - view.seen) / 1000);
  }
  view.seen = now;
}

function secondsOf({ model, seconds }, id) {
  return seconds.get(id) ?? drawingOf(model, id).seconds;
}

// ----------------------------------------------------------------------------------- the images

function finish(view) {
  const { boxes } = drawingOf(view.model, currentTask(view).id);
  if (!boxes.length) return say(view, "No box is here: if nothing is there, say so (n).");
  if (act(view, { state: "done", note: "" })) go(view, view.at + 1);
}

function finishEmpty(view) {
  view.selected = -1;
  if (act(view, { state: "done", boxes: [], note: "" })) go(view, view.at + 1);
}

function skip(view, note) {
  if (act(view, { state: "skip", note })) go(view, view.at + 1);
}

/** Shows another image; after the last one it stays. */
function go(view, at) {
  const tasks = view.model.get("tasks");
  const place = within(at, tasks.length - 1);
  takeKeys(view.root);
  if (place === view.at) {
    refresh(view);
    return say(view, at > place ? endText(countStates(view.model)) : "");
  }
  tell(view.model, "wanted", tasks[place].id);
}

/** Shows the image that is wanted, here or where the same view is displayed again. */
function follow(view) {
  const at = view.model.get("tasks").findIndex(({ id }) => id === view.model.get("wanted"));
  Object.assign(view, { at: Math.max(at, 0), selected: -1, drag: null, isShown: false });
  leaveWhy(view);
  say(view, "");
  showPicture(view);
}

// ----------------------------------------------------------------------------- what was changed

/** Changes what was made of the current image; true if it may be changed. */
function act(view, more) {
  const { model } = view;
  const isUnseen = !view.isShown && more.state !== "skip";
  const fault = model.get("closed") || (isUnseen && "The picture is not there yet.");
  if (fault) return say(view, fault);
  const { id } = currentTask(view);
  const before = drawingOf(model, id);
  const after = { ...before, ...more };
  view.undoing.push({ id, before, after });
  view.redoing = [];
  keep(view, id, after);
  return true;
}

function undo(view) {
  const last = view.drag ? null : view.undoing.pop();
  if (!last) return;
  view.redoing.push(last);
  keepAgain(view, last.id, last.before);
}

function redo(view) {
  const last = view.drag ? null : view.redoing.pop();
  if (!last) return;
  view.undoing.push(last);
  keepAgain(view, last.id, last.after);
}

/** Goes to an image and makes of it what was made before. */
function keepAgain(view, id, drawing) {
  go(view, view.model.get("tasks").findIndex((one) => one.id === id));
  view.selected = -1;
  keep(view, id, drawing);
}

function keep(view, id, { state, boxes, note }) {
  say(view, "");
  const seconds = secondsOf(view, id);
  request(view, "events", withEvent(view.model, { id, state, boxes, note, seconds }));
}

/** Tells Python what is wanted, and says so if no answer comes. */
function request(view, name, value) {
  tell(view.model, name, value);
  clearTimeout(view.timer);
  view.timer = setTimeout(() => refresh(view, true), PATIENCE);
  refresh(view);
}
