// Who is on a photo, among the known people.

import { upload } from "./api.js";
import { el } from "./dom.js";
import { Pane } from "./pane.js";
import { count, percent, rate, score } from "./words.js";

export class Who {
  constructor() {
    this.result = el("div", { "aria-live": "polite", class: "answer" });
    this.pane = new Pane({
      title: "Who is it?",
      look: (file) => this.look(file),
      onchange: () => this.show(),
    });
    this.node = this.pane.node;
    this.node.append(this.result);
  }

  async look(file) {
    const answer = await upload("identify", { photos: [file], face: "all" });
    const [{ faces }] = answer.photos;
    const labels = faces.map(({ known, ambiguous, name }) => (known ? name : ambiguous ? "ambiguous" : "unknown"));
    return { faces: faces.map(({ face }) => face), labels, answer };
  }

  show() {
    if (!this.pane.isReady) {
      this.result.replaceChildren();
      return;
    }
    const { answer, chosen } = this.pane;
    const { known, ambiguous, name, candidates } = answer.photos[0].faces[chosen];
    const cut = answer.threshold_similarity;
    this.result.replaceChildren(
      el(
        "p",
        { class: known ? "verdict-line match" : "verdict-line" },
        ...said({ known, ambiguous, name, candidates }),
      ),
      el("p", { class: "soft" }, sentence(answer)),
      el(
        "ol",
        { class: "candidates", "aria-label": "The most similar people" },
        candidates.map((one) => candidate(one, cut)),
      ),
    );
  }
}

function said({ known, ambiguous, name, candidates: [first, second] }) {
  if (known) return [el("bdi", {}, name)];
  if (!ambiguous) return ["Nobody who is known"];
  return ["Either ", el("bdi", {}, first.name), " or ", el("bdi", {}, second.name)];
}

function sentence(answer) {
  const {
    threshold_similarity: cut,
    predicted_fpir_at_most: fpir,
    fmr_at_most: fmr,
    people_count: people,
  } = answer;
  if (!people) return "Nobody is enrolled yet, so that nobody can be named.";
  const start = `The cut is ${score(cut)}, among ${count(people, "person", "people")}.`;
  if (fpir != null) return `${start} Of faces of strangers at most ${percent(fpir)} are taken for somebody.`;
  if (fmr != null) return `${start} The false match rate of one comparison is at most ${rate(fmr)}.`;
  return `${start} The card states no false match rate for it.`;
}

function candidate({ name, similarity }, cut) {
  const meter = el(
    "span",
    { class: "meter", "aria-hidden": "true" },
    el("span", { class: similarity >= cut ? "match" : "" }),
  );
  meter.firstChild.style.width = `${Math.max(similarity, 0) * 100}%`;
  return el(
    "li",
    {},
    el("bdi", { class: "name" }, name),
    meter,
    el("span", { class: "figure" }, score(similarity)),
  );
}
