// What all views share: elements, colors, boxes, keys. Plain functions, nothing from a network.
// CONTRACT, what Python knows as well, stands before this file: see contract.py.

const PATIENCE = 5000; // milliseconds until an answer from Python is missed
const FONT = 'system-ui, "Liberation Sans", Arial, sans-serif';

/** The color of boxes of a role: a key of the contract's boxes. */
function colorOf(role) {
  return CONTRACT.boxes[role].color;
}

/** A CSS color of a share from 0 to 1 of the scale of uncertainty. */
function cividis(share) {
  return `rgb(${CONTRACT.uncertainty[Math.round(255 * within(share, 1))].join(",")})`;
}

/** The number between 0 and `most` that is nearest to a value. */
function within(value, most) {
  return Math.min(Math.max(value, 0), most);
}

/** Canvas pixels of a CSS pixel. */
function density() {
  return window.devicePixelRatio || 1;
}

/**
 * An HTML element. attributes: `class`, `data-role` and so on; functions (`onclick`) become
 * listeners, true stands for an attribute without a value, false and null for none.
 */
function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") made.addEventListener(name.slice(2), value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value != null) made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child != null));
  return made;
}

/** A button; `role` is its name for tests, `hint` says what it does and its key. */
function button(text, role, hint, onclick) {
  return element("button", { type: "button", "data-role": role, title: hint, onclick }, text);
}

/**
 * The root of a view in `el`, with a line for the model's message. Plain keys that are pressed in
 * it are its own: JupyterLab's shortcuts do not see them (but those with Ctrl, Alt or Meta).
 */
function rootOf(el, name, model) {
  const line = element("div", { class: "miaod-message", role: "status", "data-role": "message" });
  const root = element("div", { class: `miaod-view miaod-${name}`, tabindex: 0 }, line);
  root.addEventListener("keydown", (event) => {
    if (!event.ctrlKey && !event.altKey && !event.metaKey) event.stopPropagation();
  });
  const show = () => {
    line.textContent = model.get("message") || "";
    line.hidden = !line.textContent;
  };
  model.on("change:message", show);
  show();
  // JupyterLab asks the focused element first, and those around it only then.
  root.addEventListener("focusin", ({ target }) =>
    target.setAttribute("data-lm-suppress-shortcuts", "true"));
  el.replaceChildren(root);
  followPage(root);
  return root;
}

/**
 * Keeps `data-page` of a root, "dark" or "light", in line with the page around it, for the colors of
 * common.css; a view that paints with them listens for "page".
 */
function followPage(root) {
  const look = () => {
    const page = isDark(document.body) ? "dark" : "light";
    if (root.dataset.page === page) return;
    root.dataset.page = page;
    root.dispatchEvent(new Event("page"));
  };
  const watch = new MutationObserver(look);
  for (const one of [document.documentElement, document.body]) {
    watch.observe(one, { attributes: true });
  }
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", look);
  look();
}

/** Whether a page is dark: what JupyterLab says of its theme, else whether its text is light. */
function isDark(body) {
  if (body.dataset.jpThemeLight) return body.dataset.jpThemeLight === "false";
  const [r, g, b] = getComputedStyle(body).color.match(/[\d.]+/g).map(Number);
  return 0.299 * r + 0.587 * g + 0.114 * b > 128;
}

/** A color of common.css as it is now, for what is painted: "ink", "paper" and so on. */
function pageColor(root, name) {
  return getComputedStyle(root).getPropertyValue(`--${name}`).trim();
}

/** Says that the view shows what its model says: tests and other scripts wait for it. */
function ready(root) {
  root.dataset.ready = "1";
}

/** Tells Python the new value of a trait. */
function tell(model, name, value) {
  model.set(name, value);
  model.save_changes();
}

/** Gives the keys back to a view: what was clicked or written into may be drawn anew. */
function takeKeys(root) {
  root.focus({ preventScroll: true });
}

/** Does `work`, which draws parts anew: if the focused part goes with it, the view has the keys. */
function keepKeys({ root }, work) {
  const had = root.contains(document.activeElement);
  work();
  if (had && !root.contains(document.activeElement)) takeKeys(root);
}

/** Calls `react` whenever one of the model's traits changes. */
function when(model, names, react) {
  for (const name of names) model.on(`change:${name}`, react);
}

/** Listens for keys in `root`; handlers: a function for each `event.key`, with "Ctrl+" before it if
 * that (or the command key) is held. Typing is left alone. */
function keys(root, handlers) {
  root.addEventListener("keydown", (event) => {
    const typing = event.target.closest("select, input:not([type=checkbox])");
    if (typing || event.altKey) return;
    const handler = handlers[(event.ctrlKey || event.metaKey ? "Ctrl+" : "") + event.key];
    if (!handler) return;
    event.preventDefault();
    handler(event);
  });
}

/** The bytes of a base64 text. */
function bytesOf(text) {
  const binary = atob(text);
  return Uint8Array.from({ length: binary.length }, (_, i) => binary.charCodeAt(i));
}

/**
 * Boxes of one role (see `colorOf`) on a canvas, with a white halo.
 * boxes: [x1, y1, x2, y2] in pixels of the image; scale: canvas pixels of one of those.
 */
function drawBoxes(context, boxes, role, scale, line = 1) {
  const { color, dash, width } = CONTRACT.boxes[role];
  context.save();
  context.lineJoin = "miter";
  for (const halo of [true, false]) {
    context.strokeStyle = halo ? "#ffffff" : color;
    context.lineWidth = line * (width + (halo ? 2 : 0));
    context.setLineDash(halo ? [] : dash.map((length) => length * line));
    for (const [x1, y1, x2, y2] of boxes) {
      context.strokeRect(x1 * scale, y1 * scale, (x2 - x1) * scale, (y2 - y1) * scale);
    }
  }
  context.restore();
}

/** A number for people, to three digits: 0.0123, 4.57, 1.23e-7; as `number_text` in Python. */
function shown(value) {
  if (value == null || !Number.isFinite(value)) return "–";
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size < 1e-4 || size >= 1e6) return value.toExponential(2);
  return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(3)));
}

/** "1 box", "2 boxes". */
function counted(number, one, many = one + "s") {
  return `${number} ${number === 1 ? one : many}`;
}

/** A model without a kernel: it holds its traits and tells of changes; `still` is true. */
function stillModel(state) {
  const listeners = {};
  const values = { ...state, still: true };
  return {
    get: (name) => values[name],
    set(name, value) {
      values[name] = value;
      for (const react of listeners[`change:${name}`] || []) react();
    },
    on(name, react) {
      (listeners[name] ||= []).push(react);
    },
    save_changes() {},
  };
}
