// In which order the images stand, and how they are found.

/** The ways to sort: a key for the settings, and its name for people. */
function sortings(model) {
  const index = model.get("index");
  const scored = index.some((image) => image.score != null);
  const choices = [
    ["score", scored ? "most uncertain first" : "chosen images first"],
    ["labeled", "labeled images first"],
  ];
  if (index.some((image) => image.disagreement != null)) {
    choices.push(["disagreement", model.get("disagreement_of") || "strategies disagree most"]);
  }
  if (index.some((image) => image.classes)) {
    model.get("classes").forEach((name, c) => choices.push([`class ${c}`, `uncertain: ${name}`]));
  }
  choices.push(["id", "by id"]);
  return choices;
}

/** The images of the index in the order of a key of `sortings`. */
function sorted(index, key) {
  const largest = (value) => (a, b) => (value(b) ?? -1) - (value(a) ?? -1);
  const byScore = largest((image) => image.score);
  const rules = {
    score: byScore,
    labeled: (a, b) => Number(b.labeled) - Number(a.labeled) || byScore(a, b),
    disagreement: largest((image) => image.disagreement),
    id: (a, b) => (a.id < b.id ? -1 : 1),
  };
  const c = key.startsWith("class ") ? Number(key.slice(6)) : -1;
  const rule = c < 0 ? rules[key] : largest((image) => image.classes && image.classes[c]);
  return [...index].sort(rule || byScore);
}

/** An image's line in the list of images. */
function titleOf(image) {
  const state = image.selected ? " · selected" : image.labeled ? " · labeled" : "";
  return (image.rank == null ? "" : `${image.rank}. `) + image.id + state;
}

/** The images whose id holds a text in small letters. */
function matching(order, text) {
  return order.filter(({ id }) => id.toLowerCase().includes(text));
}

/** The image after that of an id, the first one after the last; the first one if it is absent. */
function nextOf(images, id) {
  return images[(images.findIndex((image) => image.id === id) + 1) % images.length];
}
