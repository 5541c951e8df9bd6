// What a script tells Python of, one by one: until Python says that it is saved, it waits.

/** The events that are on their way to Python. */
function waiting(model) {
  return model.get("events").filter((event) => event.n > model.get("saved"));
}

/** The events that wait, and another one. */
function withEvent(model, event) {
  const numbers = model.get("events").map(({ n }) => n);
  return [...waiting(model), { ...event, n: Math.max(model.get("saved"), ...numbers) + 1 }];
}
