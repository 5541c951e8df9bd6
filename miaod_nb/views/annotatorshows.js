// What the annotator shows of its model: the current image, what was made of it, what is saved.

const NO_PICTURE = "This picture is not in the saved page: run this cell again to label.";
const NOT_KEPT =
  "Not saved: no notebook answers. Run this cell again in a running notebook: what was saved is "
  + "there.";
const DIGITS = 9; // classes that have a key of their own

/** Shows the tasks anew, from the image on that Python wants. */
function build(view) {
  const { model, root, parts } = view;
  const tasks = model.get("tasks");
  for (const one of parts.shown) one.hidden = !tasks.length;
  if (!tasks.length) return ready(root);
  view.added = namesOf(model, view.added); // their keys stay what they are
  view.name ||= view.added[0] ?? "";
  parts.head.textContent = model.get("heading");
  follow(view);
}

/** Shows the current image once its picture is there. */
async function showPicture(view) {
  const { model, root, parts } = view;
  const task = currentTask(view);
  if (!task) return;
  const shown = model.get("picture");
  const isThere = shown.id === task.id;
  if (view.isShown && !isThere) return; // it is for another page that shows this view
  view.isShown = false;
  delete root.dataset.ready;
  refresh(view);
  parts.photo.hidden = true;
  parts.blank.textContent = isThere ? shown.fault : model.get("still") ? NO_PICTURE : "…";
  if (isThere && shown.source) {
    parts.photo.src = shown.source;
    await parts.photo.decode().catch(() => {});
    if (model.get("picture") !== shown || currentTask(view).id !== shown.id) return;
    parts.photo.hidden = false;
    view.isShown = true;
  }
  fitEasel(view);
  if (isThere || model.get("still")) ready(root);
}

// ------------------------------------------------------------------------------- what is the case

function refresh(view, late = false) {
  const { model, parts } = view;
  const task = currentTask(view);
  if (!task) return;
  const [counts, total] = [countStates(model), model.get("tasks").length];
  const drawing = drawingOf(model, task.id);
  keepKeys(view, () => {
    showImages(view);
    showNames(view, drawing);
  });
  parts.counts.textContent = countsText(counts, total);
  parts.position.textContent = `${view.at + 1} of ${total}`;
  const why = drawing.note ? ` Skipped: ${drawing.note}` : "";
  parts.reason.textContent = `${task.id}: ${task.reason}.${why}`;
  parts.easel.dataset.state = drawing.state;
  const boxes = counted(drawing.boxes.length, "box", "boxes");
  parts.canvas.setAttribute("aria-label", `${task.id}: ${boxes}`);
  parts.remove.disabled = !drawing.boxes[view.selected];
  parts.undo.disabled = !view.undoing.length;
  parts.redo.disabled = !view.redoing.length;
  showHanding(view, counts);
  showKept(view, late);
  paintEasel(view);
}

function showImages({ model, parts: { images }, at }) {
  images.replaceChildren(...model.get("tasks").map(({ id, rank }) =>
    element("option", {}, `${CONTRACT.drawing[drawingOf(model, id).state].mark} ${rank}. ${id}`)));
  images.selectedIndex = at;
}

/** The classes: the first ones as buttons with their keys, the others in a menu. */
function showNames(view, { boxes }) {
  const names = namesOf(view.model, view.added);
  const current = boxes[view.selected]?.name ?? view.name;
  const chip = (name, i) => {
    const made = button("", "name", `take this class (${i + 1})`, () => chooseName(view, name));
    made.append(element("kbd", {}, i + 1), ` ${name}`);
    made.setAttribute("aria-pressed", String(name === current));
    return made;
  };
  const more = names.slice(DIGITS);
  const menu = element("select", { "data-role": "more-names", "aria-label": "more classes",
    onchange: () => chooseName(view, menu.value) },
    element("option", { value: "" }, "more …"),
    ...more.map((name) => element("option", { value: name }, name)));
  menu.value = more.includes(current) ? current : "";
  menu.hidden = !more.length;
  view.parts.names.replaceChildren(...names.slice(0, DIGITS).map(chip), menu);
}

function showHanding({ model, parts }, { done, skip }) {
  const { hand } = parts;
  const isBusy = model.get("handing") > model.get("handed");
  hand.textContent = isBusy ? "Handing in …" : `Hand in ${counted(done + skip, "image")}`;
  hand.disabled = isBusy || !(done + skip) || Boolean(model.get("closed") || model.get("still"))
    || waiting(model).length > 0;
  parts.result.hidden = !model.get("result").length;
  parts.result.replaceChildren(...model.get("result").map((line) => element("p", {}, line)));
}

function showKept({ model, timer, parts: { saved } }, late) {
  const waits = waiting(model).length > 0 || model.get("handing") > model.get("handed");
  if (!waits) clearTimeout(timer);
  const lost = waits && Boolean(model.get("still") || late || model.get("message"));
  saved.classList.toggle("miaod-lost", lost);
  if (lost) saved.setAttribute("role", "alert");
  else saved.removeAttribute("role");
  const status = model.get("closed") || model.get("status");
  saved.textContent = lost ? NOT_KEPT : waits ? "Saving …" : status;
}

function say({ parts }, text) {
  parts.said.textContent = text;
}
