// How the score and the rank of an image change with k, as two small charts.

const CHART = { width: 288, height: 96, left: 8, right: 8, top: 20, bottom: 18 };
const CURVES = 4; // looks of curves, which the style sheet has as miaod-curve-0 and so on

function svg(tag, attributes, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

/** Where a chart has its points: x of the i-th k on a logarithmic axis, y of a value, the edges. */
function chartScale(ks, values, isRank) {
  const { width, height, left, right, top, bottom } = CHART;
  const highest = Math.max(...values);
  const lowest = isRank ? 1 : 0;
  const logs = ks.map(Math.log);
  const reach = logs[logs.length - 1] - logs[0] || 1;
  const edges = isRank ? `1 to ${highest}, 1 on top` : `0 to ${shown(highest)}`;
  return {
    edges: highest === lowest ? `${lowest} throughout` : edges,
    x: (i) => left + ((logs[i] - logs[0]) / reach) * (width - left - right),
    y: (value) => {
      const share = (value - lowest) / (highest - lowest || 1);
      return top + (isRank ? share : 1 - share) * (height - top - bottom);
    },
  };
}

/**
 * A chart over k, with a mark at `ks[at]`; words: what it says there. series: an array of values
 * for each panel, null for one without; isRank: 1 is at the top.
 */
function curveChart(title, words, ks, at, series, isRank) {
  const { width, height, left, right, top, bottom } = CHART;
  const text = (x, y, written, more = {}) => svg("text", { x, y, ...more }, written);
  const [end, floor] = [width - right, height - bottom];
  const box = `0 0 ${width} ${height}`;
  const chart = svg("svg", { viewBox: box, role: "img" },
    svg("title", {}, title), svg("desc", {}, words),
    text(left, 12, title, { "font-weight": 600 }));
  const values = series.flatMap((one) => one || []).filter(Number.isFinite);
  if (!values.length) {
    chart.append(text(left, height / 2 + 8, "not in the pool of this cycle"));
    return chart;
  }
  const { x, y, edges } = chartScale(ks, values, isRank);
  chart.append(
    svg("line", { x1: left, x2: end, y1: floor, y2: floor, class: "axis" }),
    svg("line", { x1: x(at), x2: x(at), y1: top - 4, y2: floor, class: "mark" }),
    ...series.flatMap((one, index) => (one ? curve(one, at, x, y, index) : [])),
    text(end, 12, edges, { "text-anchor": "end" }),
    text(left, height - 4, `k = ${ks[0]}`),
    text(end, height - 4, String(ks[ks.length - 1]), { "text-anchor": "end" }),
  );
  return chart;
}

/** The line of a panel's values and its point at the mark. */
function curve(values, at, x, y, index) {
  const points = values.map((value, i) => `${x(i)},${y(value)}`).join(" ");
  return [svg("g", { class: `miaod-curve-${index % CURVES}` },
    svg("polyline", { points }), svg("circle", { cx: x(at), cy: y(values[at]), r: 3.5 }))];
}
