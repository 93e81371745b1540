// Adds a person to the gallery, by one or more photos.

import { upload } from "./api.js";
import { button, el } from "./dom.js";
import { Picker } from "./picker.js";
import { count, quality } from "./words.js";

export class Enroll {
  constructor(onenrolled) {
    this.onenrolled = onenrolled;
    this.photos = [];
    this.picker = new Picker({
      label: "Photos to enroll",
      prompt: "Drop or paste photos of one person, or click to choose",
      multiple: true,
      onfiles: (files) => this.add(files),
    });
    this.list = el("ul", { class: "thumbs", "aria-label": "Chosen photos" });
    this.input = el("input", { id: "enroll-name", required: true, maxlength: 200, autocomplete: "off" });
    this.submit = el("button", { class: "primary" }, "Enroll");
    this.result = el("div", { role: "status", class: "answer" });
    const form = el(
      "form",
      { onsubmit: (event) => this.enroll(event) },
      el("label", { for: "enroll-name" }, "Name"),
      el("div", { class: "row" }, this.input, this.submit),
    );
    this.node = el(
      "section",
      { class: "card", "aria-label": "Enroll" },
      el("div", { class: "row" }, el("h2", {}, "Enroll"), el("span", { class: "fill" }), this.picker.camera),
      el("div", { class: "stage low" }, this.picker.node),
      this.list,
      form,
      this.result,
    );
  }

  add(files) {
    this.result.replaceChildren();
    for (const file of files) {
      const url = URL.createObjectURL(file);
      const item = el(
        "li",
        {},
        el("img", { src: url, alt: "", onerror: (event) => event.target.remove() }),
        el("bdi", { class: "name" }, file.name),
      );
      const told = el("span", { class: "soft quality", "aria-live": "polite" });
      item.append(told);
      const photo = { file, url, item };
      rated(file).then((words) => told.replaceChildren(words));
      const remove = button("\u00d7", () => this.drop(photo), {
        class: "small",
        "aria-label": `Leave out ${file.name}`,
      });
      item.append(remove);
      this.photos.push(photo);
      this.list.append(item);
    }
  }

  drop(photo) {
    URL.revokeObjectURL(photo.url);
    photo.item.remove();
    this.photos = this.photos.filter((one) => one !== photo);
    this.picker.input.focus();
  }

  async enroll(event) {
    event.preventDefault();
    if (!this.photos.length) {
      this.say([el("p", { class: "error" }, "Choose at least one photo of the person first.")]);
      return;
    }
    this.submit.disabled = true;
    this.say([el("p", { class: "soft" }, "Enrolling\u2026")]);
    try {
      const sent = [...this.photos];
      const { people } = await upload("enroll", {
        photos: sent.map(({ file }) => file),
        name: this.input.value,
      });
      sent.forEach((photo) => this.drop(photo));
      this.input.value = "";
      this.say(outcome(people[0]));
      this.onenrolled();
    } catch (error) {
      this.say([el("p", { class: "error" }, error.message)]);
    } finally {
      this.submit.disabled = false;
    }
  }

  say(content) {
    this.result.replaceChildren(...content);
  }
}

// How well the face that would be enrolled can be recognized, in words.
async function rated(file) {
  try {
    const { faces } = await upload("quality", { img: file, face: "largest" });
    return quality(faces[0].quality);
  } catch (error) {
    return error.message;
  }
}

function outcome({ name, added_count: added, already_enrolled_count: known, lookalikes, failed }) {
  const parts = [`${count(added, "photo")} added`];
  if (known) parts.push(`${known} known already`);
  if (failed.length) parts.push(`${failed.length} not used`);
  const problems = failed.map(({ photo, error }) =>
    el("li", { class: "error" }, el("bdi", {}, photo), `: ${error.message}`),
  );
  const alike = lookalikes.map((pair) =>
    el(
      "li",
      {},
      "The same person as ",
      el("bdi", {}, pair.name === name ? pair.other : pair.name),
      `? They are as similar (${pair.similarity.toFixed(3)}) as photos of one person. If so, merge them.`,
    ),
  );
  problems.push(...alike);
  return [
    el("p", {}, el("bdi", { class: "name" }, name), `: ${parts.join(", ")}.`),
    problems.length ? el("ul", { class: "problems" }, problems) : "",
  ];
}
