// What is done to the boxes of the current image; `view` is that of annotator.js.

function select(view, number) {
  view.selected = number;
  const one = drawingOf(view.model, currentTask(view).id).boxes[number];
  if (one) view.name = one.name;
  refresh(view);
}

function setBoxes(view, boxes) {
  const { state } = drawingOf(view.model, currentTask(view).id);
  act(view, { boxes, state: stateWith(boxes, state) });
}

function addBox(view, box) {
  if (!view.name) {
    say(view, "Name the first class, then draw.");
    return view.parts.newName.focus();
  }
  const { boxes } = drawingOf(view.model, currentTask(view).id);
  view.selected = boxes.length;
  setBoxes(view, [...boxes, { name: view.name, box, score: null, origin: "drawn" }]);
}

function replaceBox(view, number, more) {
  const { boxes } = drawingOf(view.model, currentTask(view).id);
  setBoxes(view, boxes.map((one, i) => (i === number ? changed(one, more) : one)));
}

function removeBox(view) {
  const [{ boxes }, number] = [drawingOf(view.model, currentTask(view).id), view.selected];
  if (!boxes[number]) return;
  view.selected = -1; // so that a second press takes no other box away
  setBoxes(view, boxes.filter((_, i) => i !== number));
}

/** Takes a class for the selected box, and for the next ones. */
function chooseName(view, name) {
  if (!name) return;
  view.name = name;
  const one = drawingOf(view.model, currentTask(view).id).boxes[view.selected];
  if (one && one.name !== name) replaceBox(view, view.selected, { name });
  takeKeys(view.root);
  refresh(view);
}

/** Takes a name that was typed; one that is spelled almost so is meant. */
function addName(view, typed) {
  const names = namesOf(view.model, view.added);
  const known = sameName(typed, names);
  if (!known) view.added = [...view.added, typed];
  chooseName(view, known || typed);
  if (known && known !== typed) say(view, `${typed} is the class ${known}.`);
}
