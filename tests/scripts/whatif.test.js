const test = require("node:test");
const assert = require("node:assert/strict");
const { load } = require("./harness.js");

const { isAnswer, scopeOf } = load("whatif", "isAnswer", "scopeOf");
const own = { strategy: "mi_aod", k: 3, weighted: false };

test("a result answers the settings that it was made with, and no others", () => {
  assert.equal(isAnswer({ settings: own }, { ...own }), true);
  assert.equal(isAnswer({ settings: own }, { ...own, k: 4 }), false);
  assert.equal(isAnswer({}, own), false);
});

test("the summary tells the run's own settings from a batch that does not change", () => {
  const options = { run: own, scope: "Chosen among all." };
  const result = { settings: { ...own, k: 4 }, added: [], dropped: [] };
  assert.equal(scopeOf({ ...result, settings: own }, options), "These are the run's own settings.");
  assert.equal(scopeOf(result, options), "The batch does not change.");
  assert.equal(scopeOf({ ...result, added: [{ id: "a" }] }, options), "Chosen among all.");
});
