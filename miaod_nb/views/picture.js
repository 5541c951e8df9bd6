// One image with its layers on a canvas.

const LISTED_BOXES = 3; // anchors of a place that was clicked that are drawn, the first one bold
const NAMED_FROM = 320; // CSS pixels of the longer side of a picture whose boxes have names
const SHOWN_ANCHORS = 5; // anchors of the score that are drawn as boxes; all are dots

/** The image of a payload and its gray copy of half the contrast, once it is decoded. */
async function loadPhoto(address) {
  const photo = new Image();
  photo.src = address;
  await photo.decode();
  const gray = element("canvas", { width: photo.naturalWidth, height: photo.naturalHeight });
  const context = gray.getContext("2d");
  context.drawImage(photo, 0, 0);
  const pixels = context.getImageData(0, 0, gray.width, gray.height);
  const { data } = pixels;
  for (let i = 0; i < data.length; i += 4) {
    const luma = 0.299 * data[i] + 0.587 * data[i + 1] + 0.114 * data[i + 2];
    data[i] = data[i + 1] = data[i + 2] = 64 + luma / 2;
  }
  context.putImageData(pixels, 0, 0);
  return { photo, gray };
}

/** Gives the canvas the size in which an image of `size` [H, W] fits; returns its scale. */
function fitCanvas(canvas, size, width, height) {
  const scale = Math.min(width / size[1], height / size[0]);
  const dense = density();
  canvas.style.width = `${Math.round(size[1] * scale)}px`;
  canvas.style.height = `${Math.round(size[0] * scale)}px`;
  canvas.width = Math.round(size[1] * scale * dense);
  canvas.height = Math.round(size[0] * scale * dense);
  return canvas.width / size[1];
}

/** Draws everything that the settings ask for. scale: canvas pixels of a pixel of the image. */
function drawPicture(canvas, scale, shot) {
  const { photos, panel, truth, settings, heat, k, place, listed } = shot;
  const context = canvas.getContext("2d");
  const line = density();
  context.globalAlpha = 1;
  context.drawImage(photos.photo, 0, 0, canvas.width, canvas.height);
  if (heat) {
    context.globalAlpha = settings.opacity;
    context.drawImage(photos.gray, 0, 0, canvas.width, canvas.height);
    context.drawImage(heat, 0, 0, canvas.width, canvas.height);
    context.globalAlpha = 1;
  }
  if (settings.anchors) drawAnchors(context, panel, Math.min(k, panel.places.length), scale, line);
  const real = settings.truth && truth ? truth : { boxes: [], names: [] };
  drawBoxes(context, real.boxes, "truth", scale, line);
  const found = settings.boxes ? shownDetections(panel) : [];
  drawBoxes(context, found.map(({ box }) => box), "prediction", scale, line);
  const names = [
    ...real.boxes.map((box, i) => [box, real.names[i], "truth"]),
    ...found.map(({ box, text }) => [box, text, "prediction"]),
  ];
  if (place) drawPlace(context, place, listed.map((i) => panel.places[i].box), scale, line);
  const longest = Math.max(canvas.width, canvas.height) / line;
  if (longest >= NAMED_FROM) drawNames(context, names, scale, line);
}

/** The detections that are drawn: box, name with score, label. */
function shownDetections({ detections }) {
  return detections.boxes
    .map((box, i) => ({
      box,
      label: detections.labels[i],
      score: detections.scores[i],
      text: `${detections.names[i]} ${detections.scores[i].toFixed(2)}`,
    }))
    .filter(({ score }) => score >= CONTRACT.shownScore);
}

/** The k anchors of the score as dots at their centers, the first few as boxes. */
function drawAnchors(context, panel, k, scale, line) {
  const boxes = panel.places.slice(0, Math.min(k, SHOWN_ANCHORS)).map(({ box }) => box);
  drawBoxes(context, boxes, "anchor", scale, line * 0.75);
  for (const [color, radius] of [["#ffffff", 3], [colorOf("anchor"), 2]]) {
    context.fillStyle = color;
    for (const { x, y } of panel.places.slice(0, k)) {
      context.beginPath();
      context.arc(x * scale, y * scale, radius * line, 0, 2 * Math.PI);
      context.fill();
    }
  }
}

/** A cross at the place that was clicked, and the first anchors that are listed for it. */
function drawPlace(context, [x, y], boxes, scale, line) {
  drawBoxes(context, boxes.slice(1, LISTED_BOXES), "anchor", scale, line * 0.5);
  drawBoxes(context, boxes.slice(0, 1), "anchor", scale, line * 1.25);
  for (const [color, width] of [["#ffffff", 4], ["#000000", 2]]) {
    context.strokeStyle = color;
    context.lineWidth = width * line;
    context.beginPath();
    for (const [dx, dy] of [[7, 0], [0, 7]]) {
      context.moveTo(x * scale - dx * line, y * scale - dy * line);
      context.lineTo(x * scale + dx * line, y * scale + dy * line);
    }
    context.stroke();
  }
}

/** Names at the boxes' corners, inside the picture; those that would cover another are left out. */
function drawNames(context, names, scale, line) {
  const taken = [];
  context.font = `${12 * line}px ${FONT}`;
  context.textBaseline = "bottom";
  const area = ([x1, y1, x2, y2]) => (x2 - x1) * (y2 - y1);
  for (const [box, text, role] of [...names].sort((a, b) => area(b[0]) - area(a[0]))) {
    const width = context.measureText(text).width + 6 * line;
    const height = 16 * line;
    const x = Math.max(0, Math.min(box[0] * scale, context.canvas.width - width));
    for (const edge of [box[1], box[3] + height / scale, (box[1] + box[3]) / 2]) {
      const y = Math.max(height, Math.min(edge * scale, context.canvas.height));
      const free = taken.every(
        ([a, b, c, d]) => x >= c || x + width <= a || y - height >= d || y <= b,
      );
      if (!free) continue;
      taken.push([x, y - height, x + width, y]);
      context.fillStyle = "rgba(255, 255, 255, 0.85)";
      context.fillRect(x, y - height, width, height);
      context.fillStyle = colorOf(role);
      context.fillText(text, x + 3 * line, y - line);
      break;
    }
  }
}
