// The review board of the next batch: keys and mouse decide, Python writes the decisions down.

const PATIENCE = 5000; // milliseconds until an answer from Python is missed
const LOST =
  "Not saved: no notebook answers. Run this cell again in a running notebook, " +
  "or write the decisions into a file for `miaod review`.";

function render({ model, el }) {
  const root = rootOf(el, "board", model);
  const view = new Board(model, root);
  when(model, ["cards", "pictures", "page", "closed"], soon(() => view.build()));
  when(model, ["decisions", "events", "saved", "status", "applied", "replace"],
    soon(() => view.refresh()));
  when(model, ["enlarged"], () => view.isOpen && view.enlarge());
  when(model, ["mix"], () => view.showMix());
  view.build();
}

/** `work`, once for all changes that come together. */
function soon(work) {
  let waits = false;
  return () => {
    if (waits) return;
    waits = true;
    queueMicrotask(() => {
      waits = false;
      work();
    });
  };
}

class Board {
  constructor(model, root) {
    Object.assign(this, { model, root, at: 0, isOpen: false, timer: null });
    const part = (name) => element("div", { class: `miaod-${name}`, "data-role": name });
    this.head = part("head");
    this.bar = part("bar");
    this.saved = element("p", { class: "miaod-saved", role: "status", "data-role": "saved" });
    this.mix = element("details", { class: "miaod-mix", "data-role": "mix", open: true });
    this.noteBar = part("note-bar");
    this.grid = part("grid");
    this.left = part("left-out");
    root.append(this.head, this.bar, this.saved, this.mix, this.noteBar, this.grid, this.left);
    new ResizeObserver(() => this.isOpen && this.enlarge()).observe(this.grid);
    const step = (by) => () => this.go(this.at + by());
    keys(root, {
      ArrowLeft: step(() => -1), ArrowRight: step(() => 1),
      ArrowUp: step(() => -this.columns), ArrowDown: step(() => this.columns),
      Home: () => this.go(0), End: () => this.go(this.shown.length - 1),
      "[": () => this.turn(-1), "]": () => this.turn(1),
      a: () => this.decideHere("accept"), s: () => this.decideHere("skip"),
      d: () => this.decideHere("defer"), n: () => this.write(),
      Enter: (event) => (event.target.tagName === "BUTTON" ? event.target.click() : this.enlarge()),
      Escape: () => this.close(),
    });
  }

  /** The cards of this page. */
  get shown() {
    const { cards, size } = { cards: this.model.get("cards"), size: this.model.get("page_size") };
    const start = this.model.get("page") * size;
    return cards.slice(start, start + size);
  }

  get columns() {
    const made = [...this.grid.querySelectorAll(".miaod-card")];
    return this.isOpen ? 1 : made.filter((card) => card.offsetTop === made[0].offsetTop).length;
  }

  get current() {
    return this.shown[this.at];
  }

  /** What was decided about an image: what is saved, and then what is on its way. */
  decisionOf(id) {
    const decision = { action: "", note: "", ...this.model.get("decisions")[id] };
    for (const event of this.waiting()) {
      if (event.id !== id) continue;
      if (event.action === "note") decision.note = event.note;
      else decision.action = event.action;
    }
    return decision;
  }

  waiting() {
    return this.model.get("events").filter((event) => event.n > this.model.get("saved"));
  }

  // ------------------------------------------------------------------------------ what is done

  decide(id, action, note = "") {
    if (this.model.get("closed")) return;
    const before = this.model.get("events");
    const n = Math.max(this.model.get("saved"), ...before.map((event) => event.n)) + 1;
    this.tell("events", [...this.waiting(), { id, action, note, n }]);
  }

  /** Decides about the current image and goes on to the next. */
  decideHere(action) {
    if (!this.current) return;
    this.decide(this.current.id, action);
    if (!this.isOpen) this.go(this.at + 1);
  }

  /** Tells Python; the keys then go to the board, for what was pressed may be drawn anew. */
  tell(name, value) {
    this.model.set(name, value);
    this.model.save_changes();
    this.root.focus({ preventScroll: true });
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.refresh(true), PATIENCE);
    this.refresh();
  }

  go(place) {
    if (!this.shown.length) return;
    const moved = Math.min(Math.max(place, 0), this.shown.length - 1);
    const same = moved === this.at;
    this.at = moved;
    this.mark();
    this.root.focus({ preventScroll: true });
    if (this.isOpen && !same) this.enlarge();
  }

  turn(by) {
    const last = Math.ceil(this.model.get("cards").length / this.model.get("page_size")) - 1;
    const page = Math.min(Math.max(this.model.get("page") + by, 0), Math.max(last, 0));
    if (page === this.model.get("page")) return;
    this.at = 0;
    this.tell("page", page);
  }

  write() {
    if (!this.current || this.model.get("closed")) return;
    const { id } = this.current;
    const field = element("input", {
      type: "text", "data-role": "note-input", value: this.decisionOf(id).note,
      onkeydown: (event) => {
        event.stopPropagation();
        if (event.key === "Enter") this.decide(id, "note", field.value.trim());
        if (event.key !== "Enter" && event.key !== "Escape") return;
        this.noteBar.replaceChildren();
        this.root.focus({ preventScroll: true });
      },
    });
    this.noteBar.replaceChildren(element("label", {}, `Note for ${id} `), field,
      element("span", { class: "miaod-quiet" }, " ", element("kbd", {}, "Enter"), " saves, ",
        element("kbd", {}, "Esc"), " leaves"));
    field.focus();
    field.select();
  }

  enlarge() {
    const card = this.current;
    if (!card) return;
    const known = this.model.get("enlarged").id === card.id;
    if (!known && this.model.get("wanted") !== card.id) {
      this.model.set("wanted", card.id);
      this.model.save_changes();
    }
    this.isOpen = true;
    this.grid.querySelector(".miaod-enlarged")?.remove();
    const room = [Math.max(this.grid.clientWidth - 400, 240), this.grid.clientHeight - 40];
    const [made, painted] = enlargedOf(this, card, room);
    showDecision(made, this.decisionOf(card.id));
    made.style.top = `${this.grid.scrollTop}px`;
    this.grid.append(made);
    this.grid.classList.add("miaod-open");
    painted.then(() => (made.dataset.ready = "1"));
  }

  close() {
    this.isOpen = false;
    this.grid.querySelector(".miaod-enlarged")?.remove();
    this.grid.classList.remove("miaod-open");
    this.mark();
    this.root.focus({ preventScroll: true });
  }

  // ---------------------------------------------------------------------------- what is shown

  build() {
    delete this.root.dataset.ready;
    this.at = Math.min(this.at, Math.max(this.shown.length - 1, 0));
    const made = this.shown.map((card, place) => cardOf(this, card, place));
    this.grid.replaceChildren(...made.map(([card]) => card));
    this.grid.hidden = !made.length;
    this.showHead();
    this.showMix();
    this.refresh();
    if (this.isOpen) this.enlarge();
    Promise.all(made.map(([, painted]) => painted)).then(() => ready(this.root));
  }

  refresh(late = false) {
    for (const card of this.grid.querySelectorAll("[data-id]")) {
      showDecision(card, this.decisionOf(card.dataset.id));
    }
    this.mark();
    this.showBar();
    this.showSaved(late);
    this.showLeftOut();
  }

  mark() {
    const cards = [...this.grid.querySelectorAll(".miaod-card")];
    cards.forEach((card, place) => card.toggleAttribute("data-current", place === this.at));
    const card = cards[this.at];
    if (!card || this.isOpen) return;
    const [top, bottom] = [card.offsetTop - 8, card.offsetTop + card.offsetHeight + 8];
    if (top < this.grid.scrollTop) this.grid.scrollTop = top;
    const lowest = this.grid.scrollTop + this.grid.clientHeight;
    if (bottom > lowest) this.grid.scrollTop = Math.min(bottom - this.grid.clientHeight, top);
  }

  showHead() {
    const pages = Math.ceil(this.model.get("cards").length / this.model.get("page_size"));
    const turning = pages < 2 ? null : element("span", { class: "miaod-pages" },
      button("‹", "previous-page", "previous page ([)", () => this.turn(-1)),
      ` page ${this.model.get("page") + 1} of ${pages} `,
      button("›", "next-page", "next page (])", () => this.turn(1)));
    this.head.replaceChildren(
      element("h3", {}, this.model.get("heading")), ...(turning ? [turning] : []),
      element("span", { class: "miaod-legend miaod-quiet" },
        element("i", { class: "miaod-prediction" }), " predicted box ",
        element("i", { class: "miaod-anchor" }), " box that the classifiers disagree on"));
  }

  showBar() {
    const cards = this.model.get("cards");
    const actions = cards.map((card) => this.decisionOf(card.id).action);
    const count = (action) => actions.filter((one) => one === action).length;
    const back = this.leftOut().filter(([, { action }]) => action === "accept").length;
    const changes = count("skip") + count("defer") + back;
    const counts = Object.entries(STATES).map(([action, { mark, word }]) =>
      element("span", { "data-role": `count-${word}` }, `${mark} ${count(action)} ${word}`));
    const closed = this.model.get("closed");
    const next = this.model.get("apply") + 1;
    const apply = button(this.applyText(count("skip") + count("defer"), back), "apply",
      "write the batch anew by these decisions", () => this.tell("apply", next));
    apply.disabled = Boolean(closed) || !changes || this.waiting().length > 0;
    const box = element("input", { type: "checkbox", "data-role": "replace",
      onchange: () => this.tell("replace", box.checked) });
    box.checked = this.model.get("replace");
    const key = (...names) => names.map((name) => element("kbd", {}, name));
    const hints = closed ? [closed] : [
      ...key("←", "↑", "↓", "→"), " move ", ...key("a"), " accept ", ...key("s"), " skip ",
      ...key("d"), " defer ", ...key("n"), " note ", ...key("Enter"), " enlarge ", ...key("Esc"),
      " close"];
    this.bar.hidden = !cards.length;
    this.bar.replaceChildren(
      element("div", { class: "miaod-counts" }, ...counts),
      element("div", { class: "miaod-hints", "data-role": "hints" }, ...hints),
      element("div", { class: "miaod-apply" }, element("label", {}, box,
        "the next best take the free places"), apply));
  }

  applyText(leaving, back) {
    const parts = [];
    if (leaving) parts.push(`${counted(leaving, "image")} out`);
    if (back) parts.push(`${back} back`);
    return parts.length ? `Apply: ${parts.join(", ")}` : "Apply: nothing to change";
  }

  showSaved(late) {
    const waits = this.waiting().length > 0 || this.model.get("apply") > this.model.get("applied");
    if (!waits) clearTimeout(this.timer);
    const lost = this.model.get("still") || late;
    this.saved.classList.toggle("miaod-lost", waits && Boolean(lost));
    this.saved.textContent = !waits ? this.model.get("status")
      : lost ? LOST
      : "Saving …";
  }

  /** Images with a decision that are not in the batch: [id, decision] of each. */
  leftOut() {
    const inside = new Set(this.model.get("cards").map((card) => card.id));
    return Object.keys(this.model.get("decisions"))
      .map((id) => [id, this.decisionOf(id)])
      .filter(([id, { action }]) => !inside.has(id) && action);
  }

  showLeftOut() {
    const chips = this.leftOut().map(([id, { action, note }]) => {
      const { mark, word } = STATES[action];
      const back = button("Take back", "take-back", "let it into the batch again with Apply",
        () => this.decide(id, "accept"));
      back.hidden = action === "accept";
      back.disabled = Boolean(this.model.get("closed"));
      return element("span", { class: "miaod-chip", "data-id": id },
        `${mark} ${id} ${word}${note ? `: ${note}` : ""} `, back);
    });
    this.left.hidden = !chips.length;
    this.left.replaceChildren(element("b", {}, "Not in this batch: "), ...chips);
  }

  showMix() {
    const mix = this.model.get("mix");
    this.mix.hidden = !mix.length;
    const sum = (key) => mix.reduce((total, row) => total + row[key], 0);
    const totals = { batch: sum("batch"), labeled: sum("labeled") };
    const highest = Math.max(...mix.flatMap((row) =>
      ["batch", "labeled"].map((key) => row[key] / (totals[key] || 1))), 0.01);
    const line = (row, key) => {
      const share = row[key] / (totals[key] || 1);
      return element("div", { class: `miaod-share miaod-${key}` },
        element("i", { style: `width: ${(55 * share) / highest}%` }),
        element("span", {}, `${Math.round(100 * share)} % (${row[key]})`));
    };
    this.mix.replaceChildren(
      element("summary", {}, element("b", {}, "Class mix"),
        ` ${counted(totals.batch, "predicted object")} of the batch `,
        element("i", { class: "miaod-key miaod-batch" }), ` against ${counted(totals.labeled,
          "object")} of the labeled set `, element("i", { class: "miaod-key miaod-labeled" })),
      element("div", { class: "miaod-mix-rows" }, ...mix.map((row) =>
        element("div", { "data-class": row.name }, element("span", { title: row.name }, row.name),
          line(row, "batch"), line(row, "labeled")))));
  }
}
