// The review board of the next batch: keys and mouse decide, Python writes the decisions down.
// A view: model, root, parts, at (place of the current card on its page), isOpen, timer, undoing
// (what held before each decision that was made here: the image's id and the action), room and
// largeRoom (of a card's picture and the enlarged one), isHeld (whether the key b is held down).

function render({ model, el }) {
  const root = rootOf(el, "board", model);
  const view = { model, root, parts: boardParts(), at: 0, isOpen: false, timer: null, undoing: [] };
  root.setAttribute("role", "group");
  root.setAttribute("aria-label", "Review board");
  root.append(...view.parts.shown);
  keys(root, boardKeys(view));
  root.addEventListener("keyup", ({ key }) => key === "b" && letBoxesBe(view));
  new ResizeObserver(() => fit(view)).observe(root);
  window.addEventListener("resize", () => fit(view)); // of the height alone as well
  when(model, ["cards", "pictures", "page", "closed"], soon(() => build(view)));
  when(model, ["decisions", "events", "saved", "status", "applied", "replace", "aside"],
    soon(() => refresh(view)));
  when(model, ["applied"], () => say(view, model.get("message") || model.get("status")));
  when(model, ["enlarged"], () => view.isOpen && enlarge(view));
  when(model, ["mix"], () => showMix(view));
  when(model, ["doubted", "doubts"], soon(() => showDoubts(view)));
  showDoubts(view);
  build(view);
  fit(view);
}

/** `work`, once for all changes that come together. */
function soon(work) {
  let waits = false;
  return () => {
    if (waits) return;
    waits = true;
    queueMicrotask(() => {
      waits = false;
      work();
    });
  };
}

/** What each key does. */
function boardKeys(view) {
  const step = (by) => () => move(view, view.at + by(view));
  const deciding = Object.entries(CONTRACT.actions).map(([action, { key }]) =>
    [key, () => decideHere(view, action)]);
  return {
    ArrowLeft: step(() => -1), ArrowRight: step(() => 1),
    ArrowUp: step(() => -numColumns(view)), ArrowDown: step(() => numColumns(view)),
    Home: () => move(view, 0), End: () => move(view, Infinity),
    "[": () => turn(view, -1), "]": () => turn(view, 1),
    n: () => writeNote(view),
    Escape: () => (view.parts.noteBar.firstChild ? leaveNote(view) : close(view)),
    u: () => undo(view), "Ctrl+z": () => undo(view),
    b: ({ repeat }) => (repeat ? (view.isHeld = true) : turnBoxes(view)),
    Enter: ({ target }) => (target.matches("button, summary") ? target.click() : open(view)),
    ...Object.fromEntries(deciding),
  };
}

function numColumns(view) {
  const made = [...view.parts.grid.querySelectorAll(".miaod-card")];
  return view.isOpen ? 1 : made.filter((one) => one.offsetTop === made[0].offsetTop).length;
}

function currentCard(view) {
  return shownCards(view.model)[view.at];
}

// -------------------------------------------------------------------------------- what is done

function decide(view, id, action, note = "") {
  const { model } = view;
  if (model.get("closed")) return;
  if (action !== "note") view.undoing.push({ id, action: decisionOf(model, id).action });
  say(view, action === "note" ? `note for ${id}: ${note}` : `${id}: ${STATES[action].word}`);
  request(view, "events", withEvent(model, { id, action, note }));
}

/** Takes the newest decision back: what held before it holds again. */
function undo(view) {
  const { model } = view;
  const before = model.get("closed") ? null : view.undoing.pop();
  if (!before) return;
  const event = { id: before.id, action: before.action || "undecided", note: "" };
  say(view, `undone, ${before.id}: ${STATES[before.action].word}`);
  request(view, "events", withEvent(model, event));
  const place = shownCards(model).findIndex(({ id }) => id === before.id);
  if (place >= 0) go(view, place);
}

/** Decides about the current image and goes on to the next. */
function decideHere(view, action) {
  const card = currentCard(view);
  if (!card) return;
  decide(view, card.id, action);
  if (!view.isOpen) go(view, view.at + 1);
}

/** Tells Python what is wanted, and says so if no answer comes. */
function request(view, name, value) {
  tell(view.model, name, value);
  takeKeys(view.root);
  clearTimeout(view.timer);
  view.timer = setTimeout(() => refresh(view, true), PATIENCE);
  refresh(view);
}

function go(view, place) {
  const last = shownCards(view.model).length - 1;
  if (last < 0) return;
  const before = view.at;
  view.at = within(place, last);
  mark(view);
  takeKeys(view.root);
  if (view.isOpen && view.at !== before) enlarge(view);
}

/** Goes to another image, and says which that is. */
function move(view, place) {
  go(view, place);
  say(view, view.parts.grid.children[view.at]?.getAttribute("aria-label") || "");
}

function turn(view, by) {
  const page = within(view.model.get("page") + by, Math.max(numPages(view.model) - 1, 0));
  if (page === view.model.get("page")) return;
  view.at = 0;
  request(view, "page", page);
}

function writeNote(view) {
  const card = currentCard(view);
  if (!card || view.model.get("closed")) return;
  const save = () => {
    decide(view, card.id, "note", field.value.trim());
    leaveNote(view);
  };
  const field = element("input", {
    type: "text", "data-role": "note-input", value: decisionOf(view.model, card.id).note,
    onkeydown: (event) => {
      event.stopPropagation(); // letters are text here, not the board's keys
      if (event.key === "Enter") save();
      if (event.key === "Escape") leaveNote(view);
    },
  });
  view.parts.noteBar.replaceChildren(
    element("label", {}, `Note for ${card.id} `, field),
    button("Save", "note-save", "write the note down (Enter)", save),
    button("Cancel", "note-cancel", "leave the note as it was (Escape)", () => leaveNote(view)));
  field.focus();
  field.select();
}

function leaveNote(view) {
  view.parts.noteBar.replaceChildren();
  takeKeys(view.root);
}

/** Enlarges the current image, in sight. */
function open(view) {
  enlarge(view);
  view.parts.large.querySelector(".miaod-frame")?.scrollIntoView({ block: "nearest" });
}

/** Shows the current image large, with its numbers, in the place of the cards. */
function enlarge(view) {
  const card = currentCard(view);
  if (!card) return;
  const { model, parts: { grid, large } } = view;
  const known = model.get("enlarged").id === card.id;
  if (!known && model.get("wanted") !== card.id) tell(model, "wanted", card.id);
  view.isOpen = grid.hidden = true;
  keepKeys(view, () => {
    view.largeRoom = largeRoom(large);
    const [made, painted] = enlargedOf(view, card, view.largeRoom);
    showDecision(made, decisionOf(model, card.id));
    large.replaceChildren(made);
    painted.then(() => ready(made));
  });
}

function close(view) {
  view.isOpen = view.parts.grid.hidden = false;
  view.parts.large.replaceChildren();
  fit(view);
  mark(view);
  takeKeys(view.root);
}

/** Shows the pictures without boxes, or with them again. */
function turnBoxes(view) {
  const isBare = view.root.classList.toggle("miaod-bare");
  view.parts.head.querySelector('[data-role="boxes"]').checked = !isBare;
}

/** The key b is let go: if it was held down, the boxes are again as they were before. */
function letBoxesBe(view) {
  if (view.isHeld) turnBoxes(view);
  view.isHeld = false;
}
