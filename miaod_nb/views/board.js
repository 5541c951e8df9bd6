// The review board of the next batch: keys and mouse decide, Python writes the decisions down.
// A view: model, root, parts, at (place of the current card on its page), isOpen, timer, undoing
// (what held before each decision that was made here: the image's id and the action).

const LOST =
  "Not saved: no notebook answers. Run this cell again in a running notebook, " +
  "or write the decisions into a file for `miaod review`.";

function render({ model, el }) {
  const root = rootOf(el, "board", model);
  const view = { model, root, parts: boardParts(), at: 0, isOpen: false, timer: null, undoing: [] };
  root.append(...Object.values(view.parts));
  keys(root, boardKeys(view));
  new ResizeObserver(() => view.isOpen && enlarge(view)).observe(view.parts.grid);
  when(model, ["cards", "pictures", "page", "closed"], soon(() => build(view)));
  when(model, ["decisions", "events", "saved", "status", "applied", "replace"],
    soon(() => refresh(view)));
  when(model, ["enlarged"], () => view.isOpen && enlarge(view));
  when(model, ["mix"], () => showMix(view));
  build(view);
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

/** The parts of the board, from top to bottom. */
function boardParts() {
  const part = (name, tag = "div", more = {}) =>
    element(tag, { class: `miaod-${name}`, "data-role": name, ...more });
  return {
    head: part("head"), bar: part("bar"), saved: part("saved", "p", { role: "status" }),
    mix: part("mix", "details", { open: true }), noteBar: part("note-bar"), grid: part("grid"),
    left: part("left-out"),
  };
}

/** What each key does. */
function boardKeys(view) {
  const step = (by) => () => go(view, view.at + by(view));
  const deciding = Object.entries(CONTRACT.actions).map(([action, { key }]) =>
    [key, () => decideHere(view, action)]);
  return {
    ArrowLeft: step(() => -1), ArrowRight: step(() => 1),
    ArrowUp: step(() => -numColumns(view)), ArrowDown: step(() => numColumns(view)),
    Home: () => go(view, 0), End: () => go(view, Infinity),
    "[": () => turn(view, -1), "]": () => turn(view, 1),
    n: () => writeNote(view), Escape: () => close(view),
    u: () => undo(view), "Ctrl+z": () => undo(view),
    Enter: ({ target }) => (target.tagName === "BUTTON" ? target.click() : enlarge(view)),
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
  request(view, "events", withEvent(model, { id, action, note }));
}

/** Takes the newest decision back: what held before it holds again. */
function undo(view) {
  const { model } = view;
  const before = model.get("closed") ? null : view.undoing.pop();
  if (!before) return;
  const event = { id: before.id, action: before.action || "undecided", note: "" };
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

function turn(view, by) {
  const page = within(view.model.get("page") + by, Math.max(numPages(view.model) - 1, 0));
  if (page === view.model.get("page")) return;
  view.at = 0;
  request(view, "page", page);
}

function writeNote(view) {
  const card = currentCard(view);
  if (!card || view.model.get("closed")) return;
  const { noteBar } = view.parts;
  const field = element("input", {
    type: "text", "data-role": "note-input", value: decisionOf(view.model, card.id).note,
    onkeydown: (event) => {
      event.stopPropagation();
      if (event.key === "Enter") decide(view, card.id, "note", field.value.trim());
      if (event.key !== "Enter" && event.key !== "Escape") return;
      noteBar.replaceChildren();
      takeKeys(view.root);
    },
  });
  noteBar.replaceChildren(element("label", {}, `Note for ${card.id} `), field,
    element("span", { class: "miaod-quiet" }, " ", element("kbd", {}, "Enter"), " saves, ",
      element("kbd", {}, "Esc"), " leaves"));
  field.focus();
  field.select();
}

function enlarge(view) {
  const card = currentCard(view);
  if (!card) return;
  const { model, parts: { grid } } = view;
  const known = model.get("enlarged").id === card.id;
  if (!known && model.get("wanted") !== card.id) tell(model, "wanted", card.id);
  view.isOpen = true;
  grid.querySelector(".miaod-enlarged")?.remove();
  const room = [Math.max(grid.clientWidth - 400, 240), grid.clientHeight - 40];
  const [made, painted] = enlargedOf(view, card, room);
  showDecision(made, decisionOf(model, card.id));
  made.style.top = `${grid.scrollTop}px`;
  grid.append(made);
  grid.classList.add("miaod-open");
  painted.then(() => ready(made));
}

function close(view) {
  view.isOpen = false;
  view.parts.grid.querySelector(".miaod-enlarged")?.remove();
  view.parts.grid.classList.remove("miaod-open");
  mark(view);
  takeKeys(view.root);
}

// ------------------------------------------------------------------------------- what is shown

function build(view) {
  const { model, root, parts: { grid } } = view;
  delete root.dataset.ready;
  const made = shownCards(model).map((card, place) => cardOf(view, card, place));
  view.at = within(view.at, Math.max(made.length - 1, 0));
  grid.replaceChildren(...made.map(([card]) => card));
  grid.hidden = !made.length;
  showHead(view);
  showMix(view);
  refresh(view);
  if (view.isOpen) enlarge(view);
  Promise.all(made.map(([, painted]) => painted)).then(() => ready(root));
}

function refresh(view, late = false) {
  for (const made of view.parts.grid.querySelectorAll("[data-id]")) {
    showDecision(made, decisionOf(view.model, made.dataset.id));
  }
  mark(view);
  showBar(view);
  showSaved(view, late);
  showLeftOut(view);
}

/** Marks the current card and scrolls it into sight. */
function mark({ parts: { grid }, at, isOpen }) {
  const all = [...grid.querySelectorAll(".miaod-card")];
  all.forEach((made, place) => made.toggleAttribute("data-current", place === at));
  const current = all[at];
  if (!current || isOpen) return;
  const [top, bottom] = [current.offsetTop - 8, current.offsetTop + current.offsetHeight + 8];
  if (top < grid.scrollTop) grid.scrollTop = top;
  const lowest = grid.scrollTop + grid.clientHeight;
  if (bottom > lowest) grid.scrollTop = Math.min(bottom - grid.clientHeight, top);
}

function showHead(view) {
  const { model } = view;
  const pages = numPages(model);
  const turning = pages < 2 ? [] : [element("span", { class: "miaod-pages" },
    button("‹", "previous-page", "previous page ([)", () => turn(view, -1)),
    ` page ${model.get("page") + 1} of ${pages} `,
    button("›", "next-page", "next page (])", () => turn(view, 1)))];
  view.parts.head.replaceChildren(
    element("h3", {}, model.get("heading")), ...turning,
    element("span", { class: "miaod-legend miaod-quiet" },
      element("i", { class: "miaod-prediction" }), " predicted box ",
      ...(model.get("cards").some(({ places }) => places.length)
        ? [element("i", { class: "miaod-anchor" }), " box that the classifiers disagree on"]
        : [])));
}

function showBar(view) {
  const { model, parts: { bar } } = view;
  const { counts, leaving, back } = countDecisions(model);
  const shownCounts = Object.entries(STATES).map(([action, { mark, word }]) =>
    element("span", { "data-role": `count-${word}` }, `${mark} ${counts[action]} ${word}`));
  const next = model.get("apply") + 1;
  const apply = button(applyText(leaving, back), "apply",
    "write the batch anew by these decisions", () => request(view, "apply", next));
  apply.disabled = Boolean(model.get("closed")) || !(leaving + back) || waiting(model).length > 0;
  const box = element("input", { type: "checkbox", "data-role": "replace",
    onchange: () => request(view, "replace", box.checked) });
  box.checked = model.get("replace");
  bar.hidden = !model.get("cards").length;
  bar.replaceChildren(
    element("div", { class: "miaod-counts" }, ...shownCounts),
    element("div", { class: "miaod-hints", "data-role": "hints" }, ...hintsOf(model)),
    element("div", { class: "miaod-apply" }, element("label", {}, box,
      "the next best take the free places"), apply));
}

/** The keys of the board, or why nothing can be decided. */
function hintsOf(model) {
  if (model.get("closed")) return [model.get("closed")];
  const hint = (text, ...names) => [...names.map((name) => element("kbd", {}, name)), ` ${text} `];
  const deciding = Object.entries(CONTRACT.actions).flatMap(([action, { key }]) =>
    hint(action, key));
  return [...hint("move", "←", "↑", "↓", "→"), ...deciding, ...hint("undo", "u"),
    ...hint("note", "n"), ...hint("enlarge", "Enter"), ...hint("close", "Esc")];
}

function showSaved({ model, timer, parts: { saved } }, late) {
  const waits = waiting(model).length > 0 || model.get("apply") > model.get("applied");
  if (!waits) clearTimeout(timer);
  const lost = waits && Boolean(model.get("still") || late);
  saved.classList.toggle("miaod-lost", lost);
  saved.textContent = lost ? LOST : waits ? "Saving …" : model.get("status");
}

function showLeftOut(view) {
  const chips = leftOut(view.model).map(([id, { action, note }]) => {
    const { mark, word } = STATES[action];
    const back = button("Take back", "take-back", "let it into the batch again with Apply",
      () => decide(view, id, "accept"));
    back.hidden = action === "accept";
    back.disabled = Boolean(view.model.get("closed"));
    return element("span", { class: "miaod-chip", "data-id": id },
      `${mark} ${id} ${word}${note ? `: ${note}` : ""} `, back);
  });
  view.parts.left.hidden = !chips.length;
  view.parts.left.replaceChildren(element("b", {}, "Not in this batch: "), ...chips);
}

function showMix({ model, parts }) {
  const mix = model.get("mix");
  const { totals, share, highest } = sharesOf(mix);
  const line = (row, key) => element("div", { class: `miaod-share miaod-${key}` },
    element("i", { style: `width: ${(55 * share(row, key)) / highest}%` }),
    element("span", {}, `${Math.round(100 * share(row, key))} % (${row[key]})`));
  const icon = (key) => element("i", { class: `miaod-key miaod-${key}` });
  parts.mix.hidden = !mix.length;
  parts.mix.replaceChildren(
    element("summary", {}, element("b", {}, "Class mix"),
      ` ${counted(totals.batch, "predicted object")} of the batch `, icon("batch"),
      ` against ${counted(totals.labeled, "object")} of the labeled set `, icon("labeled")),
    element("div", { class: "miaod-mix-rows" }, ...mix.map((row) =>
      element("div", { "data-class": row.name }, element("span", { title: row.name }, row.name),
        line(row, "batch"), line(row, "labeled")))));
}
