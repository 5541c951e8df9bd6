const test = require("node:test");
const assert = require("node:assert/strict");
const { load } = require("./harness.js");

const { axisName, encircledText, haveOneScale, inOrder, isInside, nearest, placesOn, sharesByRank,
  stepped } = load("space", "axisName", "encircledText", "haveOneScale", "inOrder", "isInside",
  "nearest", "placesOn", "sharesByRank", "stepped");

test("a point is inside a line, outside of it, or in its dent", () => {
  const dented = [[0, 0], [10, 0], [10, 10], [5, 2], [0, 10]];
  assert.equal(isInside([2, 2], dented), true);
  assert.equal(isInside([5, 8], dented), false);
  assert.equal(isInside([12, 2], dented), false);
  assert.equal(isInside([2, 2], dented.toReversed()), true);
});

test("both axes have one scale, the points lie amid the map, y upwards", () => {
  const points = [{ x: 0, y: 0 }, { x: 2, y: 4 }, { x: 1, y: 2 }];
  assert.deepEqual(placesOn(points, 132, 232), [[16, 216], [116, 16], [66, 116]]);
  assert.deepEqual(placesOn(points, 332, 232), [[116, 216], [216, 16], [166, 116]]); // wider
  assert.deepEqual(placesOn(points, 132, 432), [[16, 316], [116, 116], [66, 216]]); // higher
  assert.deepEqual(placesOn([{ x: 3, y: 3 }], 132, 232), [[66, 116]]); // one alone
});

test("a flat cloud fills the map with a scale for each axis", () => {
  const flat = [{ x: 0, y: 0 }, { x: 7, y: 1 }];
  assert.equal(haveOneScale(flat), false);
  assert.equal(haveOneScale([{ x: 0, y: 0 }, { x: 6, y: 1 }]), true);
  assert.deepEqual(placesOn(flat, 132, 232), [[16, 216], [116, 16]]);
});

test("axes are named with their share", () => {
  assert.equal(axisName(0, 0.3142), "1st principal component: 31 % of the variance");
  assert.equal(axisName(1, 0.0042), "2nd principal component: 0.42 % of the variance");
});

test("what is encircled is counted by kind and stands in order, the labeled last", () => {
  const points = [{ id: "a", kind: "labeled", score: null }, { id: "b", kind: "pool", score: 1 },
    { id: "c", kind: "selected", score: 3 }, { id: "d", kind: "pool", score: 2 }];
  assert.deepEqual(inOrder(points, ["a", "b", "c"]).map(({ id }) => id), ["c", "b", "a"]);
  assert.equal(encircledText(points),
    "4 images encircled: 1 labeled, 1 selected in this cycle, 2 other");
  assert.equal(encircledText(points.slice(1, 2)), "1 image encircled: 1 other");
});

test("the nearest place is meant, and none that is far", () => {
  const places = [[0, 0], [10, 0]];
  assert.equal(nearest(places, [6, 0]), 1);
  assert.equal(nearest(places, [10, 14]), -1);
});

test("steps go from the most uncertain on and stop at the ends; images without score are left out",
  () => {
    const points = [{ score: 1 }, { score: null }, { score: 3 }, { score: 2 }];
    assert.equal(stepped(points, -1, 1), 2);
    assert.equal(stepped(points, 2, 1), 3);
    assert.equal(stepped(points, 2, -1), 2);
    assert.equal(stepped(points, 0, 1), 0);
  });

test("points of a strategy without scores are stepped through as they come", () => {
  const points = [{ score: null }, { score: null }];
  assert.equal(stepped(points, -1, 1), 0);
  assert.equal(stepped(points, 0, 1), 1);
  assert.equal(stepped(points, 1, 1), 1);
});

test("shares go by rank, and equal scores share theirs", () => {
  assert.deepEqual([...sharesByRank([1, 5, 5, 100])], [[1, 0], [5, 1 / 3], [100, 1]]);
  assert.deepEqual([...sharesByRank([7])], [[7, 0]]);
});
