const test = require("node:test");
const assert = require("node:assert/strict");
const { load } = require("./harness.js");

const { boxAt, changed, countStates, countsText, drawingOf, fitted, handleAt, held, isLargeEnough,
  namesOf, sameName, shifted, spanned, stateWith, stillModel, stretched, zoomed } = load("annotator",
  "boxAt", "changed", "countStates", "countsText", "drawingOf", "fitted", "handleAt", "held",
  "isLargeEnough", "namesOf", "sameName", "shifted", "spanned", "stateWith", "stillModel",
  "stretched", "zoomed");

const SIZE = [48, 64]; // height, width
const suggested = [{ name: "cat", box: [1, 2, 30, 40], score: 0.5, origin: "accepted" }];
const modelOf = (more) => stillModel({ classes: ["cat", "dog"], drawings: {}, events: [], saved: 0,
  tasks: [{ id: "a", suggested }, { id: "b", suggested: [] }], ...more });
const made = (state, boxes = []) => ({ state, boxes, note: "", seconds: 1 });

test("what is on its way goes before what is saved, and that before what is suggested", () => {
  assert.deepEqual(drawingOf(modelOf(), "a").boxes, suggested);
  assert.equal(drawingOf(modelOf(), "a").state, "waits");
  const saved = { drawings: { a: made("done") } };
  assert.equal(drawingOf(modelOf(saved), "a").state, "done");
  const events = [{ id: "a", n: 1, ...made("skip") }, { id: "a", n: 2, ...made("begun") },
    { id: "b", n: 3, ...made("done") }];
  assert.equal(drawingOf(modelOf({ ...saved, events }), "a").state, "begun");
  assert.equal(drawingOf(modelOf({ ...saved, events, saved: 2 }), "a").state, "done");
  assert.deepEqual(countStates(modelOf({ events })), { waits: 0, begun: 1, done: 1, skip: 0 });
  assert.equal(countsText({ begun: 1, done: 2, skip: 3 }, 9), "2 of 9 done, 3 skipped, 1 begun");
});

test("an image that is done stays so while a box is left", () => {
  assert.equal(stateWith(suggested, "done"), "done");
  assert.equal(stateWith([], "done"), "begun");
  assert.equal(stateWith(suggested, "skip"), "begun");
});

test("a box that is changed is nobody's suggestion, one that was drawn stays so", () => {
  assert.deepEqual(changed(suggested[0], { name: "dog" }),
    { name: "dog", box: [1, 2, 30, 40], score: null, origin: "changed" });
  assert.equal(changed({ origin: "drawn" }, {}).origin, "drawn");
});

test("names keep their places, and another spelling is the same name", () => {
  const events = [{ id: "b", n: 1, ...made("begun", [{ name: "yak" }, { name: "dog" }]) }];
  assert.deepEqual(namesOf(modelOf({ events }), ["owl"]), ["cat", "dog", "owl", "yak"]);
  assert.equal(sameName("Barn-Owl", ["cat", "barn owl"]), "barn owl");
  assert.equal(sameName("barn", ["cat", "barn owl"]), "");
});

test("a shifted box stops at the edge exactly, whatever its fractions", () => {
  for (const low of [0.1, 0.3, 1 / 3, 7.77]) {
    const box = [low, low, low + 10 / 3, low + 20 / 7];
    for (const by of [[1000, 1000], [64 - box[2], 48 - box[3]]]) {
      assert.deepEqual(shifted(box, by, SIZE).slice(2), [64, 48]);
    }
    const back = shifted(box, [-1000, -low], SIZE);
    assert.deepEqual(back.slice(0, 2), [0, 0]);
    assert.ok(Math.abs(back[2] - 10 / 3) < 1e-12);
  }
  assert.deepEqual(shifted([1, 2, 3, 4], [0.5, -0.5], SIZE), [1.5, 1.5, 3.5, 3.5]);
});

test("boxes are spanned and stretched in every direction, inside the picture", () => {
  assert.deepEqual(spanned([50, 5], [10, 40], SIZE), [10, 5, 50, 40]);
  assert.deepEqual(spanned([50, 5], [99, -3], SIZE), [50, 0, 64, 5]);
  assert.deepEqual(stretched([10, 10, 20, 20], 3, [5, 99], SIZE), [10, 10, 25, 20]);
  assert.deepEqual(stretched([10, 10, 20, 20], 0, [15, -99], SIZE), [20, 0, 25, 20]);
  assert.ok(isLargeEnough([0, 0, 2, 2]) && !isLargeEnough([0, 0, 1.99, 40]));
});

test("a place means the nearest handle, and boxes from the smallest on", () => {
  assert.equal(handleAt([10, 10, 20, 20], [19, 15], 2), 3);
  assert.equal(handleAt([10, 10, 20, 20], [15, 15], 2), -1);
  const boxes = [[0, 0, 40, 40], [5, 5, 20, 20], [30, 30, 35, 35]];
  assert.equal(boxAt(boxes, [10, 10], -1), 1);
  assert.equal(boxAt(boxes, [10, 10], 1), 0);
  assert.equal(boxAt(boxes, [10, 10], 0), 1);
  assert.equal(boxAt(boxes, [50, 10], 0), -1);
});

test("zooming keeps the place under the pointer, and the picture in sight", () => {
  const [room, at] = [[664, 504], [300, 200]];
  const before = fitted(SIZE, room);
  const after = zoomed(before, 3, at, SIZE, room);
  assert.equal(after.scale, 3 * before.scale);
  assert.ok(Math.abs((at[0] - after.x) / after.scale - (at[0] - before.x) / before.scale) < 1e-9);
  assert.deepEqual(zoomed(after, 1e-9, at, SIZE, room), before);
  assert.ok(zoomed(after, 1e9, at, SIZE, room).scale < 100);
  const far = held({ ...after, x: -1e6, y: 1e6 }, SIZE, room);
  assert.ok(far.x + 64 * far.scale > room[0] - 20 && far.y < 20);
});
