// What was decided about the images of a batch, from the board's model alone.

const STATES = { "": CONTRACT.undecided, ...CONTRACT.actions };

/** The cards of the page that is shown. */
function shownCards(model) {
  const start = model.get("page") * model.get("page_size");
  return model.get("cards").slice(start, start + model.get("page_size"));
}

function numPages(model) {
  return Math.ceil(model.get("cards").length / model.get("page_size"));
}

/** What was decided about an image: what is saved, and then what is on its way. */
function decisionOf(model, id) {
  const decision = { action: "", note: "", ...model.get("decisions")[id] };
  for (const event of waiting(model)) {
    if (event.id !== id) continue;
    if (event.action === "note") decision.note = event.note;
    else decision.action = event.action === "undecided" ? "" : event.action;
  }
  return decision;
}

/** The images that are set aside, or wait to come back: [id, decision] of each. */
function leftOut(model) {
  return Object.keys(model.get("aside")).map((id) => [id, decisionOf(model, id)]);
}

/** Whether an image outside the batch is wanted in it, or may be in it again. */
function comesIn({ action }) {
  return action === "" || action === "accept";
}

/** How many images of the batch each action holds for, and what Apply would change. */
function countDecisions(model) {
  const counts = Object.fromEntries(Object.keys(STATES).map((action) => [action, 0]));
  for (const card of model.get("cards")) counts[decisionOf(model, card.id).action] += 1;
  const back = leftOut(model).filter(([, decision]) => comesIn(decision)).length;
  return { counts, leaving: counts.skip + counts.defer, back };
}

/** What the button says that writes the batch anew. */
function applyText(leaving, back) {
  const parts = [];
  if (leaving) parts.push(`${counted(leaving, "image")} out`);
  if (back) parts.push(`${back} in`);
  return parts.length ? `Apply: ${parts.join(", ")}` : "Apply: nothing to change";
}

/** The classes of the batch and of the labeled set as shares of their sums, and the largest. */
function sharesOf(mix) {
  const sum = (key) => mix.reduce((total, row) => total + row[key], 0);
  const totals = { batch: sum("batch"), labeled: sum("labeled") };
  const share = (row, key) => row[key] / (totals[key] || 1);
  const all = mix.flatMap((row) => [share(row, "batch"), share(row, "labeled")]);
  return { totals, share, highest: Math.max(...all, 0.01) };
}
