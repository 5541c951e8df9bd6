// The fold of labels that may be wrong, below the batch: each with its box and what was found there.

const DOUBT_SIDE = 132; // CSS pixels of the longer side of a picture

function showDoubts({ model, parts: { doubts } }) {
  const text = model.get("doubted");
  doubts.hidden = !text;
  doubts.replaceChildren(
    element("summary", {}, element("b", {}, "Labels to look at again"), ` ${text}`),
    element("p", { class: "miaod-legend" },
      element("i", { class: "miaod-truth" }), " label",
      element("i", { class: "miaod-prediction" }), " predicted"),
    element("div", { class: "miaod-aside", role: "list" }, ...model.get("doubts").map(doubtOf)));
}

/** A label that may be wrong: the part of its image around it, and why. */
function doubtOf(doubt) {
  const { id, score, what, source } = doubt;
  return element("div", { class: "miaod-chip", role: "listitem", "data-role": "doubt" },
    source ? doubtPicture(doubt) : null,
    element("div", {},
      element("div", { class: "miaod-id" }, id),
      element("div", {}, what),
      element("div", { class: "miaod-quiet" }, `score ${score.toFixed(2)}`)));
}

function doubtPicture({ id, what, source, size: [high, wide], label, predicted }) {
  const scale = DOUBT_SIDE / Math.max(wide, high);
  const dense = density();
  const canvas = element("canvas", { width: Math.round(wide * scale * dense),
    height: Math.round(high * scale * dense), role: "img", "aria-label": `${id}: ${what}` });
  const draw = (box, role) =>
    box && drawBoxes(canvas.getContext("2d"), [box], role, scale * dense, dense);
  draw(predicted, "prediction");
  draw(label, "truth");
  const style = `width: ${wide * scale}px; height: ${high * scale}px`;
  return element("div", { class: "miaod-picture", style },
    element("img", { src: source, alt: id }), canvas);
}
