// A photo with its faces: boxes, landmarks, and which face is meant.

import { el, svg } from "./dom.js";

const TALLEST_PX = 360;

export class View {
  // `onchoose` is called with the index of the face that was clicked.
  constructor(onchoose) {
    this.onchoose = onchoose;
    this.photo = el("img", { alt: "" });
    this.marks = el("div", { class: "marks" });
    this.node = el("div", { class: "view", hidden: true }, this.photo, this.marks);
    this.isDrawn = false;
  }

  // Shows the photo, without faces yet.  Not every browser draws what the service reads.
  async show(file) {
    this.clear();
    this.url = URL.createObjectURL(file);
    this.photo.src = this.url;
    this.photo.alt = file.name;
    try {
      await this.photo.decode();
    } catch {
      return false;
    }
    const { naturalWidth: width, naturalHeight: height } = this.photo;
    this.node.style.width = `min(100%, ${Math.round((TALLEST_PX * width) / height)}px)`;
    this.node.style.aspectRatio = `${width} / ${height}`;
    this.node.hidden = false;
    this.isDrawn = true;
    return true;
  }

  clear() {
    if (this.url) URL.revokeObjectURL(this.url);
    this.url = null;
    this.isDrawn = false;
    this.node.hidden = true;
    this.photo.removeAttribute("src");
    this.marks.replaceChildren();
  }

  // `labels` are words about each face, such as a name; where there are several, each is a button.
  mark(faces, chosen, labels = []) {
    this.faces = faces;
    const { naturalWidth: width, naturalHeight: height } = this.photo;
    const dots = faces.flatMap((face, index) =>
      Object.values(face.landmarks ?? {}).map(([x, y]) => {
        const r = Math.max((face.box_xyxy[2] - face.box_xyxy[0]) * 0.028, width * 0.002);
        return svg("circle", { cx: x, cy: y, r, class: index === chosen ? "dot chosen" : "dot" });
      }),
    );
    const picture = svg("svg", { viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" }, dots);
    this.boxes = faces.map((face, index) => this.box(face, index, index === chosen, labels[index]));
    this.marks.replaceChildren(picture, ...this.boxes);
  }

  box(face, index, isChosen, label) {
    const several = this.faces.length > 1;
    const name = [`Face ${index + 1} of ${this.faces.length}`, label].filter(Boolean).join(": ");
    const box = several
      ? el("button", {
          type: "button",
          "aria-pressed": String(isChosen),
          "aria-label": name,
          onclick: () => this.onchoose?.(index),
        })
      : el("div", { role: "img", "aria-label": name });
    box.className = isChosen ? "box chosen" : "box";
    if (several || label) box.append(el("span", { class: "tag" }, label || String(index + 1)));
    const { naturalWidth: width, naturalHeight: height } = this.photo;
    const [x1, y1, x2, y2] = face.box_xyxy.map((value, n) => share(value, n % 2 ? height : width));
    box.classList.toggle("late", x1 > 60);
    box.style.left = `${x1}%`;
    box.style.top = `${y1}%`;
    box.style.width = `${x2 - x1}%`;
    box.style.height = `${y2 - y1}%`;
    return box;
  }

  // Marks another face, and keeps the keyboard where it was.
  choose(index, labels) {
    const hadFocus = this.marks.contains(document.activeElement);
    this.mark(this.faces, index, labels);
    if (hadFocus) this.boxes[index].focus();
  }
}

const share = (value, whole) => (Math.min(Math.max(value, 0), whole) / whole) * 100;
