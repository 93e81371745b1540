// The crops that the network sees, drawn anew by the rule on the card (facekit/face/align.py).

import { el } from "./dom.js";

// SphereFace's reference points in a crop 96 wide and 112 high.
const TEMPLATE = [
  [30.2946, 51.6963],
  [65.5318, 51.5014],
  [48.0252, 71.7366],
  [33.5493, 92.3655],
  [62.7299, 92.2041],
];
const POINTS = ["left_eye", "right_eye", "nose", "mouth_left", "mouth_right"];

// `photo` is an <img>; `face` as the service has it, or null for a photo that is a crop already.
export function cropOf(photo, face, card, label) {
  const { width_px: width, height_px: height } = card.input;
  const canvas = el("canvas", { width, height, class: "crop", role: "img", "aria-label": label });
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  if (face === null || card.crop.rule === "none") context.drawImage(photo, 0, 0, width, height);
  else if (card.crop.rule === "similarity") drawAligned(context, photo, face, card);
  else drawBox(context, photo, face, card);
  return canvas;
}

function drawBox(context, photo, face, { crop, input }) {
  const { width_px: width, height_px: height } = input;
  const [x1, y1, x2, y2] = face.box_xyxy;
  const growX = (crop.margin_px * (x2 - x1)) / (width - crop.margin_px) / 2;
  const growY = (crop.margin_px * (y2 - y1)) / (height - crop.margin_px) / 2;
  const left = Math.max(Math.round(x1 - growX), 0);
  const top = Math.max(Math.round(y1 - growY), 0);
  const right = Math.min(Math.round(x2 + growX), photo.naturalWidth);
  const bottom = Math.min(Math.round(y2 + growY), photo.naturalHeight);
  context.translate(width / 2, height / 2);
  context.rotate((face.rotation_degrees * Math.PI) / 180);
  const isAcross = face.rotation_degrees % 180 !== 0;
  const [w, h] = isAcross ? [height, width] : [width, height];
  context.drawImage(
    photo,
    left,
    top,
    Math.max(right - left, 1),
    Math.max(bottom - top, 1),
    -w / 2,
    -h / 2,
    w,
    h,
  );
}

// The landmarks go to the reference points by rotation, scale and shift, in least squares.
function drawAligned(context, photo, face, { crop, input }) {
  const { width_px: width, height_px: height } = input;
  const scale = Math.min(height / 112, width / 96) * (1 - crop.margin_px / Math.min(height, width));
  const target = TEMPLATE.map(([x, y]) => [(x - 48) * scale + width / 2, (y - 56) * scale + height / 2]);
  const source = POINTS.map((name) => face.landmarks[name]);
  const [sx, sy] = center(source);
  const [tx, ty] = center(target);
  let [spread, a, b] = [0, 0, 0];
  source.forEach(([x, y], index) => {
    const [dx, dy, ex, ey] = [x - sx, y - sy, target[index][0] - tx, target[index][1] - ty];
    spread += dx * dx + dy * dy;
    a += dx * ex + dy * ey;
    b += dx * ey - dy * ex;
  });
  a /= spread;
  b /= spread;
  context.setTransform(a, b, -b, a, tx - a * sx + b * sy, ty - b * sx - a * sy);
  context.drawImage(photo, 0, 0);
}

function center(points) {
  const sum = points.reduce(([x, y], [px, py]) => [x + px, y + py], [0, 0]);
  return sum.map((value) => value / points.length);
}
