// The two distributions of the card as the rates that it states, with the cut and a score.
//
// A card has no histogram.  It has, for rising similarities, the share of pairs of two people that are
// at least so alike (the false match rate of a cut there), and at some of them the share of pairs of one
// person that are less alike (the false non-match rate).  Both are drawn, on a logarithmic scale.

import { el, svg } from "./dom.js";
import { percent, score as shown } from "./words.js";

const [WIDTH, HEIGHT] = [440, 240];
const [LEFT, RIGHT, TOP, BOTTOM] = [62, 430, 30, 196];

// `cut` and `score` are cosine similarities or null.  Returns null for a card without rates.
export function chart(calibration, { cut = null, score = null, isMatch = false, summary }) {
  const impostor = calibration?.fmr_curve ?? [];
  const genuine = (calibration?.operating_points ?? [])
    .filter((point) => point.fnmr > 0)
    .map((point) => [point.threshold_similarity, point.fnmr])
    .sort(([a], [b]) => a - b);
  if (impostor.length < 2) return null;
  const lowest = Math.min(...[...impostor, ...genuine].map(([, rate]) => rate).filter((rate) => rate > 0));
  const floor = Math.floor(Math.log10(lowest));
  const from = Math.min(0, score ?? 0, impostor[0][0], cut ?? 0);
  const start = Math.floor(from * 5) / 5;
  const x = (similarity) => LEFT + ((similarity - start) / (1 - start)) * (RIGHT - LEFT);
  const y = (rate) => BOTTOM - (1 - Math.log10(rate) / floor) * (BOTTOM - TOP);

  const picture = svg(
    "svg",
    { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": summary, class: "chart" },
    grid(start, floor, x, y),
    curve(impostor, x, y, "impostor"),
    curve(genuine, x, y, "genuine"),
    genuine.map(([s, rate]) => svg("circle", { cx: x(s), cy: y(rate), r: 3.5, class: "genuine point" })),
    cut === null ? [] : upright(x(cut), TOP - 6, "cut"),
    score === null ? [] : upright(x(score), TOP - 6, isMatch ? "score match" : "score other"),
    labels(x, cut, score, isMatch),
  );
  return el(
    "figure",
    {},
    picture,
    el(
      "figcaption",
      {},
      el("span", { class: "key impostor" }, "pairs of two people that are at least so alike"),
      genuine.length ? el("span", { class: "key genuine" }, "pairs of one person that are less alike") : null,
    ),
  );
}

// An upper bound of the share of pairs of two people that are at least so alike; null below the curve.
export function rateAt(calibration, similarity) {
  const passed = (calibration?.fmr_curve ?? []).filter(([threshold]) => threshold <= similarity);
  return passed.length ? passed.at(-1)[1] : null;
}

function grid(start, floor, x, y) {
  const parts = [];
  for (let power = 0; power >= floor; power -= 1) {
    const height = y(10 ** power);
    parts.push(svg("line", { x1: LEFT, x2: RIGHT, y1: height, y2: height, class: "grid" }));
    if (power % 2) continue;
    parts.push(svg("text", { x: LEFT - 8, y: height + 4, class: "end" }, percent(10 ** power)));
  }
  for (let step = Math.round(start * 5); step <= 5; step += 1) {
    const at = (step / 5).toFixed(1).replace("-", "\u2212");
    parts.push(svg("text", { x: x(step / 5), y: BOTTOM + 17, class: "middle" }, at));
  }
  parts.push(svg("text", { x: (LEFT + RIGHT) / 2, y: BOTTOM + 36, class: "middle" }, "similarity"));
  return parts;
}

function curve(points, x, y, kind) {
  const seen = points
    .filter(([, rate]) => rate > 0)
    .map(([s, rate]) => `${x(s).toFixed(1)},${y(rate).toFixed(1)}`);
  return svg("polyline", { points: seen.join(" "), class: `${kind} line` });
}

const upright = (at, top, kind) => svg("line", { x1: at, x2: at, y1: top, y2: BOTTOM, class: kind });

// Above the lines; where they are near each other the words stand on the outer sides.
function labels(x, cut, score, isMatch) {
  const place = (similarity, other) => {
    const at = x(similarity);
    const isNear = other !== null && Math.abs(x(other) - at) < 76;
    if ((isNear && similarity < other) || at > RIGHT - 45) return [at + (isNear ? -4 : 4), "end"];
    return isNear || at < LEFT + 45 ? [at + (isNear ? 4 : -4), "start"] : [at, "middle"];
  };
  const word = (text, similarity, other, kind) => {
    const [at, side] = place(similarity, other);
    return svg(
      "text",
      { x: at, y: TOP - 12, class: `label ${side} ${kind}` },
      `${text} ${shown(similarity)}`,
    );
  };
  return [
    cut === null ? [] : word("cut", cut, score, "cut"),
    score === null ? [] : word("this pair", score, cut, isMatch ? "match" : "other"),
  ].flat();
}
