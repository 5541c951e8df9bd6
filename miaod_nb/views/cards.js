// One card of the review board: an image of the batch, what was seen in it, what was decided.

/** A button, with a name for those who cannot see what its sign means. */
function named(name, made) {
  made.setAttribute("aria-label", name);
  return made;
}

/**
 * The image of a card under its boxes, at most width x height CSS pixels large. isLarge: the boxes
 * have numbers and classes; else they are thin, as what they show is small. Returns the element and
 * a promise that it is painted.
 */
function boxedPicture(card, source, [width, height], isLarge = false) {
  if (!source) {
    const why = card.fault || "This picture is not in the saved page: a running notebook shows it.";
    return [element("div", { class: "miaod-no-picture" }, why), Promise.resolve()];
  }
  const [high, wide] = card.size;
  const fit = Math.min(width / wide, height / high);
  const dense = density();
  const canvas = element("canvas", {
    width: Math.round(wide * fit * dense),
    height: Math.round(high * fit * dense),
    role: "img",
    "aria-label": `boxes on ${card.id}: ${predicted(card)}`,
  });
  paintBoxes(canvas.getContext("2d"), card, fit * dense, isLarge);
  const photo = element("img", { src: source, alt: card.id });
  const style = `width: ${wide * fit}px; aspect-ratio: ${wide} / ${high}`;
  return [element("div", { class: "miaod-picture", style }, photo, canvas),
    photo.decode().catch(() => {})]; // a photo that is broken is shown as such
}

function paintBoxes(context, card, scale, isLarge) {
  const line = density() * (isLarge ? 1 : 0.5);
  drawBoxes(context, card.detections.map((found) => found.box), "prediction", scale, line);
  drawBoxes(context, card.places.map(({ box }) => box), "anchor", scale, line);
  if (!isLarge) return;
  const taken = [];
  const write = (text, [x, y], role) => writeOn(context, text, [x * scale, y * scale], role, taken);
  card.places.forEach(({ box }, i) => write(`${i + 1}`, box, "anchor"));
  card.detections.forEach(({ box, label, score }) =>
    write(`${label} ${score.toFixed(2)}`, box, "prediction"));
}

/** Text on white above a point, inside the canvas, moved down until it covers no other text. */
function writeOn(context, text, [x, y], role, taken) {
  const dense = density();
  context.font = `${12 * dense}px ${FONT}`;
  const [width, height] = [context.measureText(text).width + 8 * dense, 17 * dense];
  [x, y] = [Math.max(Math.min(x, context.canvas.width - width), 0), Math.max(y - height, 0)];
  const covers = ([left, top, long]) =>
    x < left + long && left < x + width && y < top + height && top < y + height;
  for (let other = taken.find(covers); other; other = taken.find(covers)) y = other[1] + height;
  if (y + height > context.canvas.height) return;
  taken.push([x, y, width]);
  context.fillStyle = "rgba(255, 255, 255, 0.85)";
  context.fillRect(x, y, width, height);
  context.fillStyle = colorOf(role);
  context.textBaseline = "middle";
  context.fillText(text, x + height / 4, y + height / 2);
}

/** What the detector finds in the image, in a line. */
function predicted(card) {
  const found = card.detections.map((one) => `${one.label} ${one.score.toFixed(2)}`);
  const more = found.length > 3 ? ` and ${found.length - 3} more` : "";
  return found.length ? `predicted: ${found.slice(0, 3).join(", ")}${more}` : "nothing predicted";
}

/** The images of the batch that look like this one, by rank and id; null if there are none. */
function alikeTo(card) {
  if (!card.alike.length) return null;
  const named = card.alike.map((d) => `#${d.rank} ${d.id} (${d.similarity.toFixed(2)})`);
  const line = element("p", { class: "miaod-alike", "data-role": "alike",
    title: "number: similarity, the cosine of the detector's features" });
  line.append(element("b", {}, "≈ looks alike to the detector: "), named.join(", "));
  return line;
}

/** The buttons that decide about an image, and one for a note; place: of its card. */
function decidingButtons(view, id, place) {
  const note = button("✎", "note", "write a note (n)", (event) => {
    event.stopPropagation(); // a click on a card gives the keys to the board
    go(view, place);
    writeNote(view);
  });
  const buttons = Object.entries(CONTRACT.actions).map(([action, { mark, text, hint, key }]) =>
    button(`${mark} ${text}`, action, `${hint} (${key})`, () => decide(view, id, action)));
  for (const one of buttons) one.setAttribute("aria-pressed", "false");
  for (const one of [note, ...buttons]) one.disabled = Boolean(view.model.get("closed"));
  return element("div", { class: "miaod-deciding" }, ...buttons, named(`Note for ${id}`, note));
}

/** Brings the state of a decision to an element that has a badge, buttons and a note. */
function showDecision(made, { action, note }) {
  made.dataset.state = action || "undecided";
  const { mark, word } = STATES[action];
  made.setAttribute("aria-label", `${made.dataset.name}, ${word}`);
  made.querySelector(".miaod-badge").textContent = `${mark} ${word}`;
  for (const each of made.querySelectorAll(".miaod-deciding [aria-pressed]")) {
    each.setAttribute("aria-pressed", String(each.dataset.role === action));
  }
  const line = made.querySelector(".miaod-note");
  line.textContent = note ? `note: ${note}` : "";
  line.hidden = !note;
}

/** The card of an image in the gallery, and a promise that it is painted; `view`: of the board. */
function cardOf(view, card, place) {
  const [picture, painted] = boxedPicture(card, view.model.get("pictures")[card.id], view.room);
  const frame = element("div", { class: "miaod-frame", "data-role": "picture",
    title: "click to enlarge (Enter)", onclick: () => { go(view, place); open(view); } }, picture);
  const made = element(
    "article",
    { class: "miaod-card", role: "listitem", "data-role": "card", "data-id": card.id,
      "data-name": `#${card.rank} ${card.id}`, onclick: () => go(view, place) },
    element("header", {}, element("b", {}, `#${card.rank}`),
      element("span", { class: "miaod-badge", "data-role": "state" })),
    frame,
    element("div", { class: "miaod-name", title: card.id },
      element("span", {}, card.id),
      card.score == null ? null : element("span", {}, `score ${shown(card.score)}`)),
    element("p", {}, card.reason),
    element("p", { class: "miaod-quiet", hidden: !card.where }, card.where),
    element("p", { class: "miaod-quiet" }, predicted(card)),
    alikeTo(card),
    element("p", { class: "miaod-note", "data-role": "note-text" }),
    decidingButtons(view, card.id, place),
  );
  return [made, painted];
}

/** The enlarged image with the numbers of its boxes. */
function enlargedOf(view, card, room) {
  const large = view.model.get("enlarged");
  const source = large.id === card.id ? large.source : view.model.get("pictures")[card.id];
  const [picture, painted] = boxedPicture(card, source, room, true);
  const row = (...cells) => element("tr", {}, ...cells.map((cell) => element("td", {}, cell)));
  const table = (head, rows) => element("table", {},
    element("tr", {}, ...head.map((name) => element("th", { scope: "col" }, name))), ...rows);
  const made = element(
    "div", { class: "miaod-enlarged", role: "group", "data-role": "enlarged", "data-id": card.id,
      "data-name": `#${card.rank} ${card.id}` },
    element("div", { class: "miaod-frame" }, picture),
    element("div", { class: "miaod-details" },
      element("header", {}, element("h4", {}, `#${card.rank} ${card.id}`),
        element("span", { class: "miaod-badge" }),
        button("Close", "close", "back to the gallery (Escape)", () => close(view))),
      decidingButtons(view, card.id, view.at),
      element("p", { class: "miaod-note" }),
      card.score == null ? null : element("p", {}, `score ${shown(card.score)}`),
      element("p", {}, card.reason),
      element("p", { class: "miaod-quiet", hidden: !card.where }, card.where),
      alikeTo(card),
      card.places.length ? table(["box", "of the score", "classifier 1", "classifier 2"],
        card.places.map((p, i) => row(i + 1, `${Math.round(100 * p.share)} %`, p.first, p.second)))
        : null,
      card.detections.length ? table(["predicted", "score"],
        card.detections.map((found) => row(found.label, found.score.toFixed(2)))) : null,
    ),
  );
  return [made, painted];
}
