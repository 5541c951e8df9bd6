// Values of anchors as a picture, and the anchors at a place: the arithmetic of the viewer.

const LAYERS = Object.keys(CONTRACT.layers);
const HEAT_SIDE = 400; // pixels of the longer side of a heat map, at most

/** A panel of a payload with its texts decoded; see `Details` in contract.py. */
function openPanel(panel) {
  const ofLayers = (make) => Object.fromEntries(LAYERS.map((layer) => [layer, make(layer)]));
  const numbers = (Kind, text) => new Kind(bytesOf(text).buffer);
  const maps = ofLayers((layer) => panel.maps[layer].map(bytesOf));
  const details = {
    ...panel.details,
    ...ofLayers((layer) => numbers(Float32Array, panel.details[layer])),
    anchors: numbers(Int32Array, panel.details.anchors),
    probs_1: numbers(Uint16Array, panel.details.probs_1),
    probs_2: numbers(Uint16Array, panel.details.probs_2),
    weights: numbers(Uint16Array, panel.details.weights),
  };
  const places = Array.from(details.anchors, (anchor) => placeOf(panel.levels, anchor));
  return { ...panel, maps, details, places, heats: new Map() };
}

/** Where an anchor of the grid lies: its level, cell, center and box, in pixels of the image. */
function placeOf(levels, anchor) {
  let rest = anchor;
  for (const [level, { shape, stride, first, base }] of levels.entries()) {
    const count = shape[0] * shape[1] * base.length;
    if (rest < count) {
      const cell = Math.floor(rest / base.length);
      const [x, y] = [(cell % shape[1]) * stride, Math.floor(cell / shape[1]) * stride];
      const box = base[rest % base.length].map((edge, i) => edge + (i % 2 ? y : x));
      return { level, cell, x: first[0] + x, y: first[1] + y, box };
    }
    rest -= count;
  }
  return null;
}

/** How many classes the details tell of. */
function numClasses(panel) {
  return panel.details.per_class ? panel.details.probs_1.length / panel.details.per_class : 0;
}

/** The numbers of a class (0, 1, ...) at the anchor that is number i of the details. */
function classNumbers(panel, i, c) {
  const { details } = panel;
  if (i >= details.per_class) return null;
  const at = i * numClasses(panel) + c;
  const [p1, p2] = [details.probs_1[at] / 65535, details.probs_2[at] / 65535];
  const weight = (details.weights[at] / 65535) * details.weight_scale;
  const gap = Math.abs(p1 - p2);
  const discrepancy = panel.norm === "l1" ? gap : gap * gap;
  return { p1, p2, weight, discrepancy, weighted: discrepancy * weight };
}

/** The class (0, 1, ...) on which the classifiers differ most at an anchor; -1 if not told. */
function mostDisputed(panel, i) {
  let best = -1;
  let gap = -1;
  for (let c = 0; i < panel.details.per_class && c < numClasses(panel); c += 1) {
    const numbers = classNumbers(panel, i, c);
    if (numbers.discrepancy > gap) [best, gap] = [c, numbers.discrepancy];
  }
  return best;
}

/** The largest value of a layer in each cell of each level, of all classes (cls < 0) or one. */
function cellsOf(panel, layer, cls) {
  if (cls < 0) {
    const unit = panel.scales[layer] / 255;
    return panel.maps[layer].map((bytes) => Float32Array.from(bytes, (byte) => byte * unit));
  }
  const cells = panel.levels.map(({ shape }) => new Float32Array(shape[0] * shape[1]));
  for (let i = 0; i < panel.details.per_class; i += 1) {
    const { level, cell } = panel.places[i];
    const value = classNumbers(panel, i, cls)[layer];
    if (value > cells[level][cell]) cells[level][cell] = value;
  }
  return cells;
}

/** For every pixel of an axis: the cell before it, and how far it is on the way to the next. */
function axisOf(pixels, step, cells, first, stride) {
  const low = new Int32Array(pixels);
  const part = new Float32Array(pixels);
  for (let i = 0; i < pixels; i += 1) {
    const place = Math.min(Math.max(((i + 0.5) * step - first) / stride, 0), cells - 1);
    low[i] = Math.min(Math.floor(place), Math.max(cells - 2, 0));
    part[i] = place - low[i];
  }
  return { low, part };
}

/**
 * A layer at every pixel of a picture whose longer side has at most HEAT_SIDE pixels.
 * Cells are interpolated linearly between their centers; a pixel takes the largest of all levels,
 * or that of one (level >= 0). size: [H, W]. Returns values, width, height and their range.
 */
function heatOf(panel, layer, level, cls, size) {
  const key = `${layer} ${level} ${cls}`;
  if (panel.heats.has(key)) return panel.heats.get(key);
  const step = Math.max(1, Math.max(...size) / HEAT_SIDE);
  const [height, width] = size.map((side) => Math.max(1, Math.round(side / step)));
  const values = new Float32Array(height * width);
  const cells = cellsOf(panel, layer, cls);
  panel.levels.forEach((about, index) => {
    if (level < 0 || level === index) spread(values, cells[index], about, height, width, step);
  });
  let max = 0;
  for (const all of cells) for (const value of all) if (value > max) max = value;
  const heat = { values, width, height, max, min: values.reduce((a, b) => Math.min(a, b)) };
  panel.heats.set(key, heat);
  return heat;
}

/** Raises `values` (height x width) to those of one level's cells. */
function spread(values, cells, { shape, stride, first }, height, width, step) {
  const across = axisOf(width, step, shape[1], first[0], stride);
  const down = axisOf(height, step, shape[0], first[1], stride);
  const [right, below] = [shape[1] > 1 ? 1 : 0, shape[0] > 1 ? shape[1] : 0];
  for (let y = 0, at = 0; y < height; y += 1) {
    const row = down.low[y] * shape[1];
    const v = down.part[y];
    for (let x = 0; x < width; x += 1, at += 1) {
      const corner = row + across.low[x];
      const u = across.part[x];
      const top = cells[corner] + (cells[corner + right] - cells[corner]) * u;
      const low = corner + below;
      const bottom = cells[low] + (cells[low + right] - cells[low]) * u;
      const value = top + (bottom - top) * v;
      if (value > values[at]) values[at] = value;
    }
  }
}

/** Where the scale of heat maps begins and ends: at 0, or, if their values lie far from it, as
 * weights around 1 do, at the least of them; null stands for none. */
function rangeOf(heats) {
  const there = heats.filter(Boolean);
  const max = Math.max(0, ...there.map((heat) => heat.max));
  const min = Math.min(...there.map((heat) => heat.min));
  return [min > max * CONTRACT.farFromZero && min < max ? min : 0, max];
}

/** A canvas with a heat map in color, whose dark and light ends are the ends of a range. */
function heatCanvas({ values, width, height }, [min, max]) {
  const canvas = element("canvas", { width, height });
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, height);
  const unit = max > min ? 255 / (max - min) : 0;
  for (let i = 0; i < values.length; i += 1) {
    const [r, g, b] = CONTRACT.uncertainty[within(Math.round((values[i] - min) * unit), 255)];
    image.data[4 * i] = r;
    image.data[4 * i + 1] = g;
    image.data[4 * i + 2] = b;
    image.data[4 * i + 3] = 255;
  }
  context.putImageData(image, 0, 0);
  return canvas;
}

/** The anchors of the cells that hold a place, numbers in the details, most uncertain first. */
function anchorsAt(panel, x, y, level) {
  const found = [];
  panel.places.forEach((place, i) => {
    const half = panel.levels[place.level].stride / 2;
    const inside = Math.abs(place.x - x) <= half && Math.abs(place.y - y) <= half;
    if (inside && (level < 0 || level === place.level)) found.push(i);
  });
  return found;
}
