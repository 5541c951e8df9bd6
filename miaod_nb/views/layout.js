// Where the viewer's parts stand: the picture first, and the others where it leaves room.

const LOWEST = 440; // CSS pixels that a picture may be high in a window that has them
const ABOVE = 240; // CSS pixels of a low window for JupyterLab, controls and title
const SHARE = 0.55; // of the window's height that a picture may take where that is more
const GAP = 12; // CSS pixels between two pictures
const SIDE = 306; // CSS pixels beside the pictures that legend and charts need, with a gap
const TABLE = 536; // and so many that the table stands there too
const LEAST = { width: 900, height: 640 }; // of view and window where all controls are open

/** Folds the seldom used controls where room is short, and opens them where it is not. */
function foldControls({ body, more, fold }) {
  const { width, height } = LEAST;
  const open = body.clientWidth >= width && window.innerHeight >= height;
  if (fold.hidden === open) return; // as it was: what the user folds or opens stays so
  fold.hidden = more.open = open;
}

/** The largest width and height of each of some pictures. */
function roomOf(width, number) {
  const { innerHeight } = window;
  const height = Math.max(SHARE * innerHeight, Math.min(LOWEST, innerHeight - ABOVE));
  return [(width - GAP * (number - 1)) / number, height];
}

/** Puts legend, charts and table beside the pictures or below them. */
function placeSide({ body }, width, canvases) {
  const taken = canvases.reduce((sum, canvas) => sum + canvas.offsetWidth + GAP, -GAP);
  const rest = width - taken;
  body.dataset.beside = rest >= TABLE ? "all" : rest >= SIDE ? "side" : "nothing";
}
