// What was made of the images of the batch, from the annotator's model alone.

/** What became of an image: what is on its way, else what is saved, else what is suggested. */
function drawingOf(model, id) {
  const sent = waiting(model).findLast((one) => one.id === id);
  const { suggested } = model.get("tasks").find((one) => one.id === id);
  return sent ?? model.get("drawings")[id]
    ?? { state: "waits", boxes: suggested, note: "", seconds: 0 };
}

/** How many images are in each state. */
function countStates(model) {
  const counts = Object.fromEntries(Object.keys(CONTRACT.drawing).map((state) => [state, 0]));
  for (const { id } of model.get("tasks")) counts[drawingOf(model, id).state] += 1;
  return counts;
}

/** The names that boxes can have: the run's classes, those `added` here, and those drawn so far. */
function namesOf(model, added) {
  const drawn = model.get("tasks").flatMap(({ id }) => drawingOf(model, id).boxes);
  return [...new Set([...model.get("classes"), ...added, ...drawn.map(({ name }) => name)])];
}

/** The name among `names` that differs by case, blanks and hyphens at most; "" if none does. */
function sameName(name, names) {
  const letters = (text) => text.normalize("NFKC").toLowerCase().replace(/[\s_-]/g, "");
  return names.find((one) => letters(one) === letters(name)) ?? "";
}

/** A box that somebody changed: it is nobody's suggestion any more. */
function changed(drawn, more) {
  const origin = drawn.origin === "drawn" ? "drawn" : "changed";
  return { ...drawn, ...more, score: null, origin };
}

/** The state of an image whose boxes were changed: one that is done stays so, but for its last. */
function stateWith(boxes, state) {
  return state === "done" && boxes.length ? "done" : "begun";
}

/** "done 3 of 6, 1 skipped, 1 begun". */
function countsText(counts, total) {
  const { begun, skip } = CONTRACT.drawing;
  const more = [[counts.skip, skip], [counts.begun, begun]].filter(([count]) => count);
  return [`${counts.done} of ${total} ${CONTRACT.drawing.done.word}`,
    ...more.map(([count, { word }]) => `${count} ${word}`)].join(", ");
}

/** What is said after the last image. */
function endText({ waits, begun }) {
  if (waits + begun) return `This is the last image; ${waits + begun} more to look at.`;
  return "All images are looked at: hand them in.";
}
