// Where the points of the selection space lie: its arithmetic.

const MARGIN = 16; // CSS pixels around the points
const NEAR = 14; // CSS pixels from the pointer within which a point is meant

/** The places of the points on a map of width x height CSS pixels, the largest y on top. */
function placesOn(points, width, height) {
  const range = (key) => {
    const values = points.map((point) => point[key]);
    const [low, high] = [Math.min(...values), Math.max(...values)];
    return [low, high - low || 1];
  };
  const [[left, across], [low, up]] = [range("x"), range("y")];
  return points.map((point) => [
    MARGIN + ((point.x - left) / across) * (width - 2 * MARGIN),
    height - MARGIN - ((point.y - low) / up) * (height - 2 * MARGIN),
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
