const test = require("node:test");
const assert = require("node:assert/strict");
const { load } = require("./harness.js");

const { anchorsAt, cellsOf, chartScale, classNumbers, heatOf, matching, mostDisputed, newest,
  nextOf, openPanel, placeOf, rangeOf, shownDetections, sorted, sortings, stillModel, storedPayload,
  titleOf } = load("viewer", "anchorsAt", "cellsOf", "chartScale", "classNumbers", "heatOf",
  "matching", "mostDisputed", "newest", "nextOf", "openPanel", "placeOf", "rangeOf",
  "shownDetections",
  "sorted", "sortings", "stillModel", "storedPayload", "titleOf");

const text = (array) => Buffer.from(array.buffer).toString("base64");

// Two levels of one anchor a cell: 2 x 3 cells of 8 pixels, and 1 x 2 of 16. The details tell of
// anchors 6 and 1; of the first one also for each of two classes.
const levels = [
  { shape: [2, 3], stride: 8, first: [4, 4], base: [[0, 0, 8, 8]] },
  { shape: [1, 2], stride: 16, first: [8, 8], base: [[-8, 0, 24, 16]] },
];
const maps = [text(Uint8Array.of(0, 51, 0, 0, 0, 0)), text(Uint8Array.of(255, 0))];
const panel = () => openPanel({
  levels, norm: "l1", scales: { discrepancy: 5, weight: 1, weighted: 1 },
  maps: { discrepancy: maps, weight: maps, weighted: maps },
  details: {
    anchors: text(Int32Array.of(6, 1)), per_class: 1, weight_scale: 2,
    discrepancy: text(Float32Array.of(5, 1)), weight: text(Float32Array.of(1, 1)),
    weighted: text(Float32Array.of(5, 1)), probs_1: text(Uint16Array.of(65535, 13107)),
    probs_2: text(Uint16Array.of(0, 13107)), weights: text(Uint16Array.of(65535, 0)),
  },
});

test("images are sorted by score, label, class, disagreement and id, those without a value last",
  () => {
    const index = [
      { id: "c", score: 1, labeled: false, classes: [0.9, 0], disagreement: 0.1 },
      { id: "b", score: 3, labeled: false, classes: [0.1, 0.2], disagreement: 0.3 },
      { id: "a", score: null, labeled: true },
    ];
    const order = (key) => sorted(index, key).map(({ id }) => id).join("");
    assert.equal(order("score"), "bca");
    assert.equal(order("labeled"), "abc");
    assert.equal(order("class 0"), "cba");
    assert.equal(order("disagreement"), "bca");
    assert.equal(order("id"), "abc");
    assert.equal(order("unknown"), "bca");
    assert.equal(index[0].id, "c"); // the index itself stays
  });

test("sorting by disagreement is offered where there is any", () => {
  const keysOf = (index) => sortings(stillModel({ index, classes: ["cat"], disagreement_of: "" }))
    .map(([key]) => key);
  assert.deepEqual(keysOf([{ disagreement: null }]), ["score", "labeled", "id"]);
  assert.deepEqual(keysOf([{ disagreement: 0, classes: [0.5] }]),
    ["score", "labeled", "disagreement", "class 0", "id"]);
  const named = (score) => sortings(stillModel({ index: [{ score }], classes: [] }))[0][1];
  assert.equal(named(0), "most uncertain first");
  assert.equal(named(null), "chosen images first");
});

test("a search goes through the ids that hold its text and begins again", () => {
  const found = matching([{ id: "Ab1" }, { id: "x" }, { id: "ab2" }], "ab");
  assert.deepEqual(found.map(({ id }) => id), ["Ab1", "ab2"]);
  assert.equal(nextOf(found, "Ab1").id, "ab2");
  assert.equal(nextOf(found, "ab2").id, "Ab1");
  assert.equal(nextOf(found, "elsewhere").id, "Ab1");
});

test("an image's line has its rank and state", () => {
  assert.equal(titleOf({ id: "a", rank: 2, selected: true }), "2. a · selected");
  assert.equal(titleOf({ id: "a", rank: null, labeled: true }), "a · labeled");
});

test("payloads are at hand as the newest or embedded, and the oldest opened ones go", () => {
  const model = stillModel({ payload: { id: "a" }, embedded: { b: { id: "b" } } });
  assert.deepEqual(["a", "b", "c"].map((id) => storedPayload(model, id)?.id), ["a", "b", undefined]);
  const kept = new Map("abcdefg".split("").map((id) => [id, id]));
  assert.equal(newest(kept, "a"), "a");
  assert.deepEqual([...kept.keys()].join(""), "cdefga");
});

test("an anchor lies in the cell of its level", () => {
  assert.deepEqual(placeOf(levels, 4), { level: 0, cell: 4, x: 12, y: 12, box: [8, 8, 16, 16] });
  assert.deepEqual(placeOf(levels, 7), { level: 1, cell: 1, x: 24, y: 8, box: [8, 0, 40, 16] });
  assert.equal(placeOf(levels, 8), null);
});

test("numbers of classes are shares of 1 and of the largest weight", () => {
  const opened = panel();
  const { p1, p2, weight, discrepancy, weighted } = classNumbers(opened, 0, 0);
  assert.deepEqual([p1, p2, weight, discrepancy, weighted], [1, 0, 2, 1, 2]);
  assert.equal(classNumbers({ ...opened, norm: "l2" }, 0, 1).discrepancy, 0);
  assert.equal(classNumbers(opened, 1, 0), null);
  assert.deepEqual([mostDisputed(opened, 0), mostDisputed(opened, 1)], [0, -1]);
});

test("cells hold bytes of the scale for all classes, and details for one", () => {
  assert.deepEqual(cellsOf(panel(), "discrepancy", -1).map((one) => [...one].map(Math.fround)),
    [[0, 1, 0, 0, 0, 0], [5, 0]].map((one) => one.map(Math.fround)));
  assert.deepEqual(cellsOf(panel(), "weighted", 0).map((one) => [...one]),
    [[0, 0, 0, 0, 0, 0], [2, 0]]);
});

test("a scale begins at 0, or where all values lie far from it", () => {
  assert.deepEqual(rangeOf([{ min: 0.1, max: 2 }, null]), [0, 2]);
  assert.deepEqual(rangeOf([{ min: 0.9, max: 2 }, { min: 0.8, max: 1.5 }]), [0.8, 2]); // weights
  assert.deepEqual(rangeOf([{ min: 0.9, max: 2 }, { min: 0, max: 1 }]), [0, 2]);
  assert.deepEqual(rangeOf([{ min: 1, max: 1 }]), [0, 1]);
  assert.deepEqual(rangeOf([null]), [0, 0]);
});

test("a heat map takes the largest level at every pixel and is linear between cells", () => {
  const opened = panel();
  const heat = heatOf(opened, "discrepancy", -1, -1, [16, 24]);
  assert.deepEqual([heat.width, heat.height, heat.max], [24, 16, 5]);
  const second = heatOf(opened, "discrepancy", 1, -1, [16, 24]).values;
  assert.equal(second[0], 5);
  assert.ok(Math.abs(second[15] - 5 * (1 - 7.5 / 16)) < 1e-6);
  const first = heatOf(opened, "discrepancy", 0, -1, [16, 24]).values;
  heat.values.forEach((value, i) => assert.equal(value, Math.max(first[i], second[i])));
  assert.equal(heatOf(opened, "discrepancy", -1, -1, [16, 24]), heat); // made once
});

test("a place lists the anchors of its cells, of one level if that is asked", () => {
  assert.deepEqual(anchorsAt(panel(), 12, 4, -1), [0, 1]);
  assert.deepEqual(anchorsAt(panel(), 12, 4, 0), [1]);
  assert.deepEqual(anchorsAt(panel(), 23, 15, -1), []);
});

test("detections below the score of the contract are not shown", () => {
  const detections = { boxes: [[0], [1]], labels: [0, 1], scores: [0.3, 0.299], names: ["a", "b"] };
  assert.deepEqual(shownDetections({ detections }).map((one) => one.text), ["a 0.30"]);
});

test("a chart is logarithmic in k; a rank of 1 is at its top, a mean of 0 at its bottom", () => {
  const rank = chartScale([1, 10, 100], [1, 5], true);
  assert.equal(rank.x(1) * 2, rank.x(0) + rank.x(2));
  assert.ok(rank.y(1) < rank.y(5));
  const mean = chartScale([1, 10], [0, 4], false);
  assert.ok(mean.y(0) > mean.y(4));
  assert.equal(mean.edges, "0 to 4");
  assert.equal(rank.edges, "1 to 5, 1 on top");
  assert.ok(Number.isFinite(chartScale([3], [0], false).x(0))); // a single k
});
