// What the review board shows around its cards; `view` is that of board.js.

const LOST =
  "Not saved: no notebook answers. Run this cell again in a running notebook, " +
  "or write the decisions into a file for `miaod review`.";

const AROUND = 130; // CSS pixels of the window's height that JupyterLab has for itself

/** The parts of the board, from top to bottom. */
function boardParts() {
  const part = (name, tag = "div", more = {}) =>
    element(tag, { class: `miaod-${name}`, "data-role": name, ...more });
  // What the user opened or closed stays so; the rest is open where there is room.
  const folded = (name) => part(name, "details", {
    onclick: ({ target, currentTarget }) =>
      target.closest("summary") && (currentTarget.dataset.chosen = "1"),
  });
  const [hints, mix] = [folded("hints"), folded("mix")];
  const parts = {
    head: part("head"), bar: part("bar"), saved: part("saved", "p"),
    folds: element("div", { class: "miaod-folds" }, hints, mix), noteBar: part("note-bar"),
    grid: part("grid", "div", { role: "list", "aria-label": "the images of the batch" }),
    large: part("large"), left: part("left-out", "details"), doubts: part("doubts", "details"),
    said: part("said", "div", { role: "status" }),
  };
  return { shown: Object.values(parts), ...parts, hints, mix };
}

function build(view) {
  const { model, root, parts: { grid } } = view;
  delete root.dataset.ready;
  const room = (view.room = pictureRoom(grid));
  grid.style.setProperty("--room", `${room[1]}px`);
  const made = (view.made = shownCards(model).map((card, place) => cardOf(view, card, place)));
  view.at = within(view.at, Math.max(made.length - 1, 0));
  keepKeys(view, () => {
    grid.replaceChildren(...made.map(([card]) => card));
    showHead(view);
    showMix(view);
    showHints(view);
  });
  refresh(view);
  if (view.isOpen) enlarge(view);
  const isNewest = () => view.made === made;
  Promise.all(made.map(([, painted]) => painted)).then(() => isNewest() && ready(root));
}

function refresh(view, late = false) {
  const { grid, large } = view.parts;
  keepKeys(view, () => {
    for (const made of [...grid.children, ...large.children]) {
      showDecision(made, decisionOf(view.model, made.dataset.id));
    }
    showBar(view);
    showLeftOut(view);
  });
  mark(view);
  showSaved(view, late);
}

/** Brings the board in line with its room: what is folded, and how large the pictures are. */
function fit(view) {
  const { root, parts: { grid, large, mix, hints } } = view;
  if (!root.clientWidth) return;
  for (const one of [mix, hints]) {
    const isRoomy = getComputedStyle(one).getPropertyValue("--roomy").trim() === "1";
    if (!one.dataset.chosen) one.open = isRoomy;
  }
  const isOther = (room, before) => room.some((side, i) => Math.abs(side - before[i]) > 1);
  if (!view.isOpen && isOther(pictureRoom(grid), view.room)) build(view);
  if (view.isOpen && isOther(largeRoom(large), view.largeRoom)) enlarge(view);
}

/** Width and height in CSS pixels that a picture has on a card. */
function pictureRoom(grid) {
  const column = parseFloat(getComputedStyle(grid).gridTemplateColumns) || 232; // not shown yet
  const width = column - 18; // padding and border of a card
  return [width, Math.min(0.75 * width, 0.4 * window.innerHeight)];
}

/** Width and height of an enlarged picture: beside its details or, where it is narrow, above. */
function largeRoom(large) {
  const { display, maxHeight } = getComputedStyle(large);
  if (display !== "flex") return [large.clientWidth - 2, window.innerHeight - AROUND];
  return [Math.max(large.clientWidth - 400, 240), parseFloat(maxHeight)];
}

/** Marks the current card and scrolls it into sight. */
function mark({ root, parts: { grid }, at, isOpen }) {
  [...grid.children].forEach((made, place) => {
    made.toggleAttribute("data-current", place === at);
    if (place === at) made.setAttribute("aria-current", "true");
    else made.removeAttribute("aria-current");
  });
  const current = grid.children[at];
  if (!current || isOpen) return;
  const [top, bottom] = [current.offsetTop - 8, current.offsetTop + current.offsetHeight + 8];
  if (top < grid.scrollTop) grid.scrollTop = top;
  const lowest = grid.scrollTop + grid.clientHeight;
  if (bottom > lowest) grid.scrollTop = Math.min(bottom - grid.clientHeight, top);
}

/** Tells those who cannot see the board what was done. */
function say({ parts }, text) {
  parts.said.textContent = text;
}

function showHead(view) {
  const { model, root } = view;
  const pages = numPages(model);
  const turning = (sign, name, key, by) => named(`${name} page`,
    button(sign, `${name}-page`, `${name} page (${key})`, () => turn(view, by)));
  const where = pages < 2 ? [] : [element("span", { class: "miaod-pages" },
    turning("‹", "previous", "[", -1), ` page ${model.get("page") + 1} of ${pages} `,
    turning("›", "next", "]", 1))];
  const boxes = element("input", { type: "checkbox", "data-role": "boxes",
    onchange: () => turnBoxes(view) });
  boxes.checked = !root.classList.contains("miaod-bare");
  view.parts.head.hidden = !model.get("cards").length;
  view.parts.head.replaceChildren(
    element("h3", {}, model.get("heading")), ...where,
    element("span", { class: "miaod-legend" },
      element("label", { title: "show the boxes, or the bare pictures (b)" }, boxes, "boxes:"),
      element("i", { class: "miaod-prediction" }), " predicted",
      ...(model.get("cards").some(({ places }) => places.length)
        ? [element("i", { class: "miaod-anchor" }), " the classifiers disagree"]
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
    element("div", { class: "miaod-apply" }, element("label", {}, box,
      "the next best take the free places"), apply));
}

/** The keys of the board, or why nothing can be decided. */
function showHints({ model, parts: { hints } }) {
  const hint = (text, ...names) => element("span", {},
    ...names.map((name) => element("kbd", {}, name)), ` ${text}`);
  const deciding = Object.entries(CONTRACT.actions).map(([action, { key }]) => hint(action, key));
  const closed = model.get("closed");
  hints.hidden = !model.get("cards").length;
  hints.classList.toggle("miaod-closed", Boolean(closed));
  hints.replaceChildren(element("summary", {}, closed || "Keys"), ...(closed ? [] : [
    hint("move", "←", "↑", "↓", "→"), ...deciding, hint("undo", "u"), hint("note", "n"),
    hint("boxes", "b"), hint("enlarge", "Enter"), hint("close", "Esc")]));
}

function showSaved({ model, timer, parts: { saved } }, late) {
  const waits = waiting(model).length > 0 || model.get("apply") > model.get("applied");
  if (!waits) clearTimeout(timer);
  const lost = waits && Boolean(model.get("still") || late);
  saved.classList.toggle("miaod-lost", lost);
  if (lost) saved.setAttribute("role", "alert");
  else saved.removeAttribute("role");
  saved.textContent = lost ? LOST : waits ? "Saving …" : model.get("status");
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
    element("summary", {}, element("b", {}, "Class mix"), element("span", {},
      ` ${counted(totals.batch, "predicted object")} of the batch `, icon("batch"),
      ` against ${counted(totals.labeled, "object")} of the labeled set `, icon("labeled"))),
    element("div", { class: "miaod-mix-rows" }, ...mix.map((row) =>
      element("div", { "data-class": row.name }, element("span", { title: row.name }, row.name),
        line(row, "batch"), line(row, "labeled")))));
}
