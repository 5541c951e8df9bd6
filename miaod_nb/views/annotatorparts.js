// What the annotator shows around its easel; `view` is that of annotator.js.


function annotatorParts(view) {
  const part = (role, tag = "div", ...children) =>
    element(tag, { class: `miaod-${role}`, "data-role": role }, ...children);
  const parts = {
    head: part("head", "h3"), counts: part("counts", "span"), position: part("position", "span"),
    images: part("images", "select"), reason: part("reason", "p"), names: part("names"),
    newName: element("input", { type: "text", "data-role": "new-name", placeholder: "new class",
      "aria-label": "new class", size: 9, onkeydown: (event) => typeName(view, event) }),
    photo: element("img", { alt: "", draggable: "false" }),
    canvas: element("canvas", { "data-role": "canvas", role: "img" }),
    blank: part("blank"), why: part("why"), saved: part("saved", "p"),
    said: element("span", { class: "miaod-said", "data-role": "said", role: "status" }),
    result: element("div", { class: "miaod-result", "data-role": "result", role: "status" }),
    ...annotatorButtons(view),
  };
  parts.easel = part("easel", "div", parts.photo, parts.canvas, parts.blank);
  parts.images.setAttribute("aria-label", "image");
  parts.images.addEventListener("change", () => go(view, parts.images.selectedIndex));
  const group = (...children) => element("span", { class: "miaod-group" }, ...children);
  const bar = (...children) => element("div", { class: "miaod-bar" }, ...children);
  parts.shown = [
    bar(parts.head, group(parts.previous, parts.next), parts.images, parts.position, parts.counts),
    parts.reason,
    bar(parts.names, parts.newName),
    parts.easel,
    bar(group(parts.done, parts.empty, parts.skip), group(parts.undo, parts.redo, parts.remove),
      group(parts.closer, parts.farther, parts.whole), parts.said),
    parts.why,
    bar(parts.hand, parts.saved), parts.result, annotatorHints(),
  ];
  return parts;
}

function annotatorButtons(view) {
  const { done, skip } = CONTRACT.drawing;
  const make = (text, role, hint, act) => button(text, role, hint, () => {
    takeKeys(view.root);
    act(view);
  });
  return {
    previous: make("◀", "previous", "the image before (←)", () => go(view, view.at - 1)),
    next: make("▶", "next", "the next image (→)", () => go(view, view.at + 1)),
    done: make(`${done.mark} Done`, "done", "all boxes are right, go on (Enter)", finish),
    empty: make("Nothing there", "empty", "no object is in this image, go on (n)", finishEmpty),
    skip: make(`${skip.mark} Skip …`, "skip", "leave this image out of the batch (s)", askWhy),
    undo: make("↶", "undo", "undo (Ctrl+Z)", undo),
    redo: make("↷", "redo", "do it again (Ctrl+Shift+Z, Ctrl+Y)", redo),
    remove: make("Delete", "remove", "delete the selected box (Delete, Backspace)", removeBox),
    closer: make("+", "closer", "larger (+, wheel)", () => zoom(view, STEP)),
    farther: make("−", "farther", "smaller (−, wheel)", () => zoom(view, 1 / STEP)),
    whole: make("Fit", "whole", "the whole image (f)", fitEasel),
    hand: make("", "hand-in", "take over what is done and skipped", handIn),
  };
}

function annotatorHints() {
  const texts = {
    "1 – 9": "class", Enter: "done", n: "nothing there", s: "skip", "← →": "image",
    Del: "delete box", "Ctrl+Z": "undo", "Shift + drag": "draw inside the selected box",
    "Space + drag": "push the picture", "+ − wheel": "zoom", f: "fit", Esc: "select nothing",
  };
  return element("details", { class: "miaod-hints miaod-quiet" },
    element("summary", {}, "Keys and mouse: drag to draw, click a box to select it"),
    ...Object.entries(texts).map(([key, text]) =>
      element("span", {}, element("kbd", {}, key), ` ${text}`)));
}

// --------------------------------------------------------------------------------- what is typed

function typeName(view, event) {
  event.stopPropagation(); // letters are text here, no keys of the view
  const { newName } = view.parts;
  if (event.key !== "Enter" && event.key !== "Escape") return;
  const name = newName.value.trim();
  newName.value = "";
  if (event.key === "Enter" && name) addName(view, name);
  else takeKeys(view.root);
}

/** Asks why an image is skipped. */
function askWhy(view) {
  const { note } = drawingOf(view.model, currentTask(view).id);
  const field = element("input", { type: "text", "data-role": "why-input", value: note,
    onkeydown: (event) => {
      event.stopPropagation();
      if (event.key === "Enter") answer();
      if (event.key === "Escape") leaveWhy(view);
    } });
  const answer = () => {
    leaveWhy(view);
    skip(view, field.value.trim());
  };
  view.parts.why.replaceChildren(
    element("label", {}, "Why is it skipped? ", field),
    button("Skip it", "why-save", "leave it out of the batch (Enter)", answer),
    button("Cancel", "why-cancel", "leave it as it is (Escape)", () => leaveWhy(view)));
  field.focus();
}

function leaveWhy(view) {
  if (!view.parts.why.firstChild) return;
  view.parts.why.replaceChildren();
  takeKeys(view.root);
}

function handIn(view) {
  request(view, "handing", view.model.get("handed") + 1);
}
