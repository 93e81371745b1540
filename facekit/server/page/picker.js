// How photos come in: dropped, chosen, pasted, or taken by the camera.

import { hasCamera, takePhoto } from "./camera.js";
import { button, el } from "./dom.js";

const pickers = [];

// `onfiles` is called with a list of at least one File.
export class Picker {
  constructor({ label, prompt, multiple = false, onfiles }) {
    this.onfiles = onfiles;
    this.multiple = multiple;
    this.used = false;
    this.input = el("input", {
      type: "file",
      accept: "image/*",
      multiple,
      class: "unseen",
      "aria-label": label,
      onchange: () => {
        this.take([...this.input.files]);
        this.input.value = "";
      },
    });
    this.prompt = el(
      "label",
      { class: "prompt" },
      this.input,
      el("span", { class: "plus", "aria-hidden": "true" }, "+"),
      el("span", {}, prompt),
    );
    this.camera = hasCamera()
      ? button("Camera", () => this.takeByCamera(), {
          class: "small",
          "aria-label": `${label}: take it by the camera`,
        })
      : null;
    this.node = el("div", { class: "picker" }, this.prompt);
    listenForDrops(this);
    pickers.push(this);
  }

  take(files) {
    if (files.length) this.onfiles(this.multiple ? files : files.slice(0, 1));
  }

  async takeByCamera() {
    const photo = await takePhoto();
    if (photo) this.take([photo]);
    else this.camera.focus();
  }
}

function listenForDrops(picker) {
  const { node } = picker;
  let depth = 0;
  const over = (change) => node.classList.toggle("over", (depth = Math.max(0, depth + change)) > 0);
  node.addEventListener("dragenter", () => over(1));
  node.addEventListener("dragleave", () => over(-1));
  node.addEventListener("drop", (event) => {
    over(-depth);
    picker.take([...event.dataTransfer.files]);
  });
}

// A file that misses its place must not replace the page.
for (const kind of ["dragover", "drop"]) window.addEventListener(kind, (event) => event.preventDefault());

// What is pasted goes where the focus is, else to the first place of this tab without a photo.
window.addEventListener("paste", (event) => {
  const files = [...event.clipboardData.files];
  if (!files.length) return;
  const seen = pickers.filter((picker) => picker.node.isConnected && picker.node.offsetParent);
  const focused = seen.find((picker) => picker.node.parentElement.contains(document.activeElement));
  const place = focused ?? seen.find((picker) => !picker.used) ?? seen[0];
  if (!place) return;
  event.preventDefault();
  place.take(files);
});
