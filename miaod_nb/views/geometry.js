// Where the points of the selection space lie: its arithmetic.

const MARGIN = 16; // CSS pixels around the points
const NEAR = 14; // CSS pixels from the pointer within which a point is meant
const FLAT = 6; // a cloud that is so many times as long as wide would waste the map

/** The least value of the points along an axis, and how far they reach from there. */
function rangeOf(points, axis) {
  const values = points.map((point) => point[axis]);
  const low = values.reduce((a, b) => Math.min(a, b));
  return [low, values.reduce((a, b) => Math.max(a, b)) - low];
}

/** Whether the axes have the same scale, so that distances can be compared: not on a flat cloud. */
function haveOneScale(points) {
  const [[, across], [, up]] = [rangeOf(points, "x"), rangeOf(points, "y")];
  return FLAT * Math.min(across, up) >= Math.max(across, up);
}

/** The places of the points on a map of width x height CSS pixels, amid it, the largest y on top. */
function placesOn(points, width, height) {
  const [[left, across], [low, up]] = [rangeOf(points, "x"), rangeOf(points, "y")];
  let scales = [(width - 2 * MARGIN) / (across || 1), (height - 2 * MARGIN) / (up || 1)];
  if (haveOneScale(points)) scales = scales.fill(Math.min(...scales));
  return points.map((point) => [
    width / 2 + (point.x - left - across / 2) * scales[0],
    height / 2 - (point.y - low - up / 2) * scales[1],
  ]);
}

/** The number of the place that is meant by [x, y]; -1 if none is near. */
function nearest(places, [x, y]) {
  let [best, least] = [-1, NEAR];
  places.forEach(([px, py], i) => {
    const distance = Math.hypot(px - x, py - y);
    if (distance < least) [best, least] = [i, distance];
  });
  return best;
}

/** Number of the point `by` steps less uncertain than number `at`; after -1: the most uncertain.
 * Where no point has a score, they stand as they come. */
function stepped(points, at, by) {
  const all = points.map((_, i) => i);
  const scored = all.filter((i) => points[i].score != null);
  const order = scored.length ? scored : all;
  order.sort((a, b) => points[b].score - points[a].score);
  const place = order.indexOf(at);
  return order[place < 0 ? 0 : within(place + by, order.length - 1)] ?? at;
}

/** The points with these ids, the most uncertain first and the labeled ones last. */
function inOrder(points, ids) {
  const among = new Set(ids);
  const value = (point) => (point.kind === "labeled" ? -2 : point.score == null ? -1 : point.score);
  return points.filter(({ id }) => among.has(id)).sort((a, b) => value(b) - value(a));
}

/** Where each of the ascending scores stands among them: 0 the lowest, 1 the highest. */
function sharesByRank(ordered) {
  const steps = Math.max(ordered.length - 1, 1);
  return new Map(ordered.map((score) => [score, ordered.indexOf(score) / steps]));
}

/** Whether a point lies inside the closed line (even-odd rule). */
function isInside([x, y], path) {
  let inside = false;
  path.forEach(([x1, y1], i) => {
    const [x2, y2] = path[(i || path.length) - 1];
    if (y1 > y !== y2 > y && x < ((x2 - x1) * (y - y1)) / (y2 - y1) + x1) inside = !inside;
  });
  return inside;
}
