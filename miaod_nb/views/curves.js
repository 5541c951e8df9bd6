// How the score and the rank of an image change with k, as two small charts.

const CHART = { width: 288, height: 96, left: 8, right: 8, top: 20, bottom: 18 };
const CURVE_LOOKS = [
  { color: "#0072B2", dash: "" },
  { color: "#D55E00", dash: "6 3" },
  { color: "#882255", dash: "2 3" },
  { color: "#000000", dash: "8 3 2 3" },
];

function svg(tag, attributes, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

/**
 * A chart over k on a logarithmic axis, with a mark at `ks[at]`.
 * series: an array of values for each panel, null for one without; first is 1 at the top.
 */
function curveChart(title, ks, at, series, isRank) {
  const { width, height, left, right, top, bottom } = CHART;
  const values = series.flatMap((one) => one || []).filter(Number.isFinite);
  const box = `0 0 ${width} ${height}`;
  const chart = svg("svg", { viewBox: box, role: "img", "aria-label": title });
  chart.append(svg("text", { x: left, y: 12, "font-weight": 600 }, title));
  if (!values.length) {
    chart.append(svg("text", { x: left, y: height / 2 + 8 }, "not in the pool of this cycle"));
    return chart;
  }
  const highest = Math.max(...values) || 1;
  const lowest = isRank ? 1 : 0;
  const span = highest - lowest || 1;
  const logs = ks.map(Math.log);
  const reach = logs[logs.length - 1] - logs[0] || 1;
  const x = (i) => left + ((logs[i] - logs[0]) / reach) * (width - left - right);
  const y = (value) => {
    const share = (value - lowest) / span;
    return top + (isRank ? share : 1 - share) * (height - top - bottom);
  };
  const floor = height - bottom;
  chart.append(svg("line", { x1: left, x2: width - right, y1: floor, y2: floor, class: "axis" }));
  chart.append(svg("line", { x1: x(at), x2: x(at), y1: top - 4, y2: floor, class: "mark" }));
  series.forEach((one, index) => {
    if (!one) return;
    const look = CURVE_LOOKS[index % CURVE_LOOKS.length];
    const points = one.map((value, i) => `${x(i)},${y(value)}`).join(" ");
    chart.append(
      svg("polyline", { points, stroke: look.color, "stroke-dasharray": look.dash }),
      svg("circle", { cx: x(at), cy: y(one[at]), r: 3.5, fill: look.color }),
    );
  });
  const edges = isRank ? `1 to ${highest}, 1 on top` : `0 to ${shown(highest)}`;
  chart.append(svg("text", { x: width - right, y: 12, "text-anchor": "end" }, edges));
  chart.append(svg("text", { x: left, y: height - 4 }, `k = ${ks[0]}`));
  const end = { x: width - right, y: height - 4, "text-anchor": "end" };
  chart.append(svg("text", end, String(ks[ks.length - 1])));
  return chart;
}
