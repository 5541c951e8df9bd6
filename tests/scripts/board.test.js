const test = require("node:test");
const assert = require("node:assert/strict");
const { load } = require("./harness.js");

const { alikeTo, applyText, countDecisions, decisionOf, leftOut, numPages, predicted, sharesOf,
  shownCards, stillModel, waiting, withEvent } = load("board", "alikeTo", "applyText",
  "countDecisions", "decisionOf", "leftOut", "numPages", "predicted", "sharesOf", "shownCards",
  "stillModel", "waiting", "withEvent");

const cards = ["a", "b", "c"].map((id) => ({ id }));
const board = (state) =>
  stillModel({ cards, page: 0, page_size: 2, decisions: {}, events: [], saved: 0, ...state });

test("pages are whole but the last", () => {
  assert.deepEqual(shownCards(board({ page: 1 })), [{ id: "c" }]);
  assert.equal(numPages(board()), 2);
  assert.equal(numPages(board({ cards: [] })), 0);
});

test("an event that was saved no longer waits, and numbers only grow", () => {
  const events = [{ id: "a", action: "skip", note: "", n: 4 }, { id: "b", action: "defer", n: 5 }];
  const model = board({ events, saved: 4 });
  assert.deepEqual(waiting(model), [events[1]]);
  const more = withEvent(model, { id: "c", action: "accept", note: "" });
  assert.deepEqual(more.map(({ n }) => n), [5, 6]);
  assert.equal(withEvent(board({ saved: 7 }), {})[0].n, 8);
});

test("what waits goes before what is saved; notes and actions keep each other", () => {
  const decisions = { a: { action: "skip", note: "dark" } };
  const events = [{ id: "a", action: "accept", note: "", n: 1 },
    { id: "b", action: "note", note: "odd", n: 2 }];
  const model = board({ decisions, events });
  assert.deepEqual(decisionOf(model, "a"), { action: "accept", note: "dark" });
  assert.deepEqual(decisionOf(model, "b"), { action: "", note: "odd" });
  assert.deepEqual(decisionOf(board({ decisions, events, saved: 2 }), "a"), decisions.a);
  assert.deepEqual(decisions.a, { action: "skip", note: "dark" }); // nothing was written into it
});

test("images outside of the batch are listed, and those that come in are counted", () => {
  const decisions = { a: { action: "skip", note: "" }, x: { action: "skip", note: "" },
    y: { action: "", note: "only a note" }, z: { action: "accept", note: "" } };
  const model = board({ decisions, aside: { x: {}, z: {} } });
  assert.deepEqual(leftOut(model).map(([id]) => id), ["x", "z"]);
  const { counts, leaving, back } = countDecisions(model);
  assert.deepEqual(counts, { "": 2, accept: 0, skip: 1, defer: 0 });
  assert.deepEqual([leaving, back], [1, 1]);
});

test("the button says what it would do", () => {
  assert.equal(applyText(0, 0), "Apply: nothing to change");
  assert.equal(applyText(1, 2), "Apply: 1 image out, 2 in");
});

test("shares are of the sum of a side, and 0 where it is empty", () => {
  const { totals, share, highest } = sharesOf([{ batch: 3, labeled: 0 }, { batch: 1, labeled: 0 }]);
  assert.deepEqual(totals, { batch: 4, labeled: 0 });
  assert.equal(share({ batch: 3, labeled: 0 }, "batch"), 0.75);
  assert.equal(share({ batch: 3, labeled: 0 }, "labeled"), 0);
  assert.equal(highest, 0.75);
});

test("a card names three detections, and says how many more there are", () => {
  const found = (label) => ({ label, score: 0.5 });
  assert.equal(predicted({ detections: [] }), "nothing predicted");
  const text = predicted({ detections: ["a", "b", "c", "d"].map(found) });
  assert.equal(text, "predicted: a 0.50, b 0.50, c 0.50 and 1 more");
  assert.equal(alikeTo({ alike: [] }), null);
});
