// Gives the tests the functions of a view's script, as Python concatenates it.

const { readFileSync } = require("node:fs");
const { join } = require("node:path");

/** The named functions and constants of a view's script: `load("board", "decisionOf")`. */
function load(view, ...names) {
  const text = readFileSync(join(process.env.SCRIPTS, `${view}.js`), "utf-8");
  return new Function("window", `${text}\nreturn { ${names.join(", ")} };`)({});
}

module.exports = { load };
