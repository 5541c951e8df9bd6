// The drawer below the cards: the images that were set aside, from which they come back.

/** Brings the drawer in line with the decisions; it stays open or closed. */
function showLeftOut(view) {
  const { model, parts: { left } } = view;
  const images = leftOut(model);
  const content = JSON.stringify([images, model.get("closed"), model.get("aside")]);
  if (content === view.inDrawer) return; // pictures that are drawn anew would flicker
  view.inDrawer = content;
  const back = images.filter(([, decision]) => comesIn(decision)).length;
  const waiting = back ? `, ${back} of them in with Apply` : "";
  left.hidden = !images.length;
  left.replaceChildren(
    element("summary", {}, element("b", {}, `Set aside (${images.length})`), waiting),
    element("div", { class: "miaod-aside", role: "list" },
      ...images.map(([id, decision]) => asideOf(view, id, decision))));
}

/** An image that was set aside: its picture, what was decided, and the way back. */
function asideOf(view, id, decision) {
  const { model } = view;
  const { source, fault } = model.get("aside")[id];
  const { mark, word } = STATES[decision.action];
  const isBack = comesIn(decision);
  const back = button("Bring back", "take-back", "let it into the batch again with Apply",
    () => decide(view, id, "accept"));
  back.hidden = isBack;
  back.disabled = Boolean(model.get("closed"));
  return element("div",
    { class: "miaod-chip", role: "listitem", "data-role": "aside", "data-id": id,
      "data-back": isBack, "aria-label": `${id}, ${isBack ? "comes in with Apply" : word}` },
    fault ? null : element("img", { src: source, alt: id }),
    element("div", {},
      element("div", { class: "miaod-id" }, id),
      element("div", {}, isBack ? "↩ comes in with Apply" : `${mark} ${word}`),
      decision.note ? element("div", { class: "miaod-note" }, `note: ${decision.note}`) : null,
      fault ? element("div", { class: "miaod-fault", "data-role": "fault" }, fault) : null,
      named(`Bring ${id} back`, back)));
}
