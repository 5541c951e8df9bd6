const test = require("node:test");
const assert = require("node:assert/strict");
const { load } = require("./harness.js");

const { bytesOf, cividis, counted, shown, stillModel, tell, within } = load("space",
  "bytesOf", "cividis", "counted", "shown", "stillModel", "tell", "within");

test("base64 texts become bytes, also those beyond ASCII", () => {
  assert.deepEqual([...bytesOf("AP+AAQ==")], [0, 255, 128, 1]);
  assert.equal(bytesOf("").length, 0);
});

test("numbers are written with three digits", () => {
  const cases = [[0, "0"], [0.01234, "0.0123"], [4.567, "4.57"], [1.234e-7, "1.23e-7"], [12, "12"],
    [null, "–"], [NaN, "–"], [-2500.5, "-2500"]];
  for (const [value, text] of cases) assert.equal(shown(value), text);
});

test("one thing is not many", () => {
  assert.equal(counted(1, "box", "boxes"), "1 box");
  assert.equal(counted(0, "image"), "0 images");
});

test("values stay between 0 and the most, colors on their scale", () => {
  assert.deepEqual([-1, 2, 9].map((value) => within(value, 5)), [0, 2, 5]);
  assert.equal(cividis(-1), cividis(0));
  assert.equal(cividis(2), cividis(1));
  assert.notEqual(cividis(0), cividis(1));
});

test("a model without a kernel holds its traits and tells of changes", () => {
  const model = stillModel({ page: 1 });
  const seen = [];
  model.on("change:page", () => seen.push(model.get("page")));
  tell(model, "page", 2);
  tell(model, "other", 3);
  assert.deepEqual(seen, [2]);
  assert.equal(model.get("still"), true);
});
