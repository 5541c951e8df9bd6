// Boxes under a pointer, the arithmetic alone. A box: [x1, y1, x2, y2] in pixels of the picture, a
// place: [x, y] of these, a size: [height, width].

const LEAST_SIDE = 2; // pixels of the picture: a box with a smaller side is a slip of the hand
// Where on a box each handle is, as shares of its width and height.
const HANDLES = [[0, 0], [0.5, 0], [1, 0], [1, 0.5], [1, 1], [0.5, 1], [0, 1], [0, 0.5]];

/** The places of the handles. */
function handlesOf([x1, y1, x2, y2]) {
  return HANDLES.map(([across, down]) => [x1 + across * (x2 - x1), y1 + down * (y2 - y1)]);
}

/** The number of the nearest handle that is no farther than `reach` either way; -1: none is. */
function handleAt(box, [x, y], reach) {
  const distances = handlesOf(box).map(([a, b]) => Math.max(Math.abs(a - x), Math.abs(b - y)));
  const least = Math.min(...distances);
  return least <= reach ? distances.indexOf(least) : -1;
}

function isWithin([x1, y1, x2, y2], [x, y]) {
  return x1 <= x && x <= x2 && y1 <= y && y <= y2;
}

/** The number of the smallest box around a place, or of the next larger one after the one that is
 * selected; -1: none is there. */
function boxAt(boxes, place, selected) {
  const area = ([x1, y1, x2, y2]) => (x2 - x1) * (y2 - y1);
  const under = boxes.map((_, i) => i).filter((i) => isWithin(boxes[i], place));
  under.sort((a, b) => area(boxes[a]) - area(boxes[b]));
  return under[(under.indexOf(selected) + 1) % under.length] ?? -1;
}

/** The place in the picture that is nearest. */
function inPicture([x, y], [height, width]) {
  return [within(x, width), within(y, height)];
}

/** The box between two places, in whatever direction, inside the picture. */
function spanned(from, to, size) {
  const [[a, b], [c, d]] = [inPicture(from, size), inPicture(to, size)];
  return [Math.min(a, c), Math.min(b, d), Math.max(a, c), Math.max(b, d)];
}

/** The box shifted, as far as the picture goes. */
function shifted([x1, y1, x2, y2], [dx, dy], [height, width]) {
  const along = (low, high, by, most) => {
    if (by >= most - high) return [most - (high - low), most]; // at the edge exactly
    return low + by <= 0 ? [0, high - low] : [low + by, high + by];
  };
  const [[left, right], [top, bottom]] = [along(x1, x2, dx, width), along(y1, y2, dy, height)];
  return [left, top, right, bottom];
}

/** The box whose edges at a handle were shifted; they may go past those on the other side. */
function stretched([x1, y1, x2, y2], handle, [dx, dy], size) {
  const [across, down] = HANDLES[handle];
  const one = [x1 + (across === 0 ? dx : 0), y1 + (down === 0 ? dy : 0)];
  const other = [x2 + (across === 1 ? dx : 0), y2 + (down === 1 ? dy : 0)];
  return spanned(one, other, size);
}

function isLargeEnough([x1, y1, x2, y2]) {
  return Math.min(x2 - x1, y2 - y1) >= LEAST_SIDE;
}
