// One photo with its faces: where it comes in, what was found in it, and what went wrong.

import { button, el } from "./dom.js";
import { Picker } from "./picker.js";
import { View } from "./view.js";
import { count } from "./words.js";

export class Pane {
  // `look` asks the service about a photo and returns {faces, labels, answer}; `onchange` is called when the
  // photo or the chosen face has changed.
  constructor({ title, look, onchange }) {
    this.look = look;
    this.onchange = onchange;
    this.reset();
    this.view = new View((index) => this.choose(index));
    this.picker = new Picker({
      label: title,
      prompt: "Drop or paste a photo, or click to choose",
      onfiles: ([file]) => this.take(file),
    });
    this.choosing = button("Change", () => this.picker.input.click(), {
      class: "small",
      "aria-label": `${title}: choose another`,
      hidden: true,
    });
    this.clearing = button("Clear", () => this.clear(), {
      class: "small",
      "aria-label": `${title}: clear`,
      hidden: true,
    });
    this.name = el("bdi", { class: "name" });
    this.note = el("span", { class: "soft", role: "status" });
    this.caption = el("p", { class: "caption", hidden: true }, this.name, this.note);
    this.problem = el("p", { class: "error", role: "alert", hidden: true });
    this.node = el(
      "section",
      { class: "card pane", "aria-label": title },
      el(
        "div",
        { class: "row" },
        el("h2", {}, title),
        el("span", { class: "fill" }),
        this.picker.camera,
        this.choosing,
        this.clearing,
      ),
      el("div", { class: "stage" }, this.picker.node, this.view.node),
      this.caption,
      this.problem,
    );
    // A photo may be dropped on another one too.
    this.view.node.addEventListener("drop", (event) => this.picker.take([...event.dataTransfer.files]));
  }

  reset() {
    this.file = null;
    this.faces = null;
    this.chosen = null;
  }

  clear() {
    this.reset();
    this.view.clear();
    this.picker.node.hidden = false;
    this.hold(false);
    this.problem.hidden = true;
    this.picker.input.focus();
    this.onchange(this);
  }

  hold(isUsed) {
    this.picker.used = isUsed;
    for (const part of [this.choosing, this.clearing, this.caption]) part.hidden = !isUsed;
    if (this.picker.camera) this.picker.camera.hidden = isUsed;
  }

  async take(file) {
    this.reset();
    this.file = file;
    this.hold(true);
    this.problem.hidden = true;
    this.name.textContent = file.name;
    this.note.textContent = "Looking for faces\u2026";
    this.onchange(this);
    const isDrawn = await this.view.show(file);
    if (file !== this.file) return;
    this.picker.node.hidden = isDrawn;
    try {
      const found = await this.look(file);
      if (file === this.file) this.found(found);
    } catch (error) {
      if (file === this.file) this.fail(error);
    }
  }

  found({ faces, labels = [], answer = null }) {
    this.answer = answer;
    this.faces = faces;
    this.labels = labels;
    this.chosen = largest(faces);
    const boxes = faces.filter(Boolean);
    if (this.view.isDrawn) this.view.mark(boxes, this.chosen, labels);
    const several = boxes.length > 1 ? ": click the one that is meant" : "";
    this.note.textContent = boxes.length ? `${count(boxes.length, "face")}${several}` : "used as a face crop";
    if (!this.view.isDrawn) this.note.textContent += ". This browser cannot draw the photo";
    this.onchange(this);
  }

  choose(index) {
    this.chosen = index;
    this.view.choose(index, this.labels);
    this.onchange(this);
  }

  fail(error) {
    this.note.textContent = "";
    this.problem.textContent = error.message;
    this.problem.hidden = false;
  }

  get isReady() {
    return this.faces !== null;
  }
}

// The service's own choice where it is told to take the largest face.
function largest(faces) {
  const area = (face) => {
    const [x1, y1, x2, y2] = face?.box_xyxy ?? [0, 0, 0, 0];
    return (x2 - x1) * (y2 - y1);
  };
  return faces.reduce((best, face, index) => (area(face) > area(faces[best]) ? index : best), 0);
}
