// The first tab: do two photos show the same person?

import { read, upload } from "./api.js";
import { chart, rateAt } from "./chart.js";
import { cropOf } from "./crop.js";
import { el } from "./dom.js";
import { Pane } from "./pane.js";
import { count, percent, rate, score } from "./words.js";

const WAITING = "The decision appears here when both photos are there.";

export class Compare {
  constructor(panel) {
    this.panes = ["First photo", "Second photo"].map(
      (title) => new Pane({ title, look: (file) => this.look(file), onchange: () => this.update() }),
    );
    this.result = el("section", { class: "card result", "aria-label": "Result", "aria-live": "polite" });
    this.turn = 0;
    this.say(WAITING);
    panel.append(
      el(
        "div",
        { class: "two even" },
        this.panes.map((pane) => pane.node),
      ),
      this.result,
    );
  }

  async look(file) {
    this.model ??= await read("model");
    if (this.model.detector === null) return { faces: [null] };
    const { faces } = await upload("detect", { img: file });
    return { faces };
  }

  async update() {
    const [a, b] = this.panes;
    const turn = (this.turn += 1);
    const isStale = () => turn !== this.turn;
    if (!a.isReady || !b.isReady) {
      this.asked = null;
      this.say(WAITING);
      return;
    }
    if (!this.asked) {
      this.say("Comparing\u2026");
      const asked = (this.asked = {
        verified: upload("verify", { img1: a.file, img2: b.file, face: "largest" }),
      });
      asked.verified.catch(() => null);
    }
    try {
      const answer = await this.asked.verified;
      const similarity = await this.similarity(answer);
      if (!isStale()) this.show(answer, similarity);
    } catch (error) {
      if (!isStale()) this.say(error.message, "error");
    }
  }

  // Of the chosen faces: what /verify answered for the largest ones, else of all faces at once.
  async similarity(answer) {
    const [a, b] = this.panes;
    if ([a, b].every((pane, index) => isMeant(pane, answer.faces[`img${index + 1}`])))
      return answer.similarity;
    const { chosen } = a;
    const other = a.faces.length + b.chosen;
    this.asked.compared ??= upload("compare", { photos: [a.file, b.file], face: "all" });
    const { similarity } = await this.asked.compared;
    return similarity[chosen][other];
  }

  say(text, kind = "soft") {
    this.result.replaceChildren(el("p", { class: kind }, text));
  }

  show(answer, similarity) {
    const cut = answer.threshold_similarity;
    const isMatch = similarity >= cut;
    const { calibration } = this.model.card;
    const text = sentences(answer, similarity, isMatch, calibration);
    const picture = chart(calibration, {
      cut,
      score: similarity,
      isMatch,
      summary: `The pair's similarity is ${score(similarity)}, the cut is ${score(cut)}.`,
    });
    this.result.replaceChildren(
      el(
        "div",
        { class: "verdict" },
        this.crops(),
        el("h2", { class: isMatch ? "match" : "other" }, isMatch ? "Match" : "No match"),
        el("p", {}, text[0]),
        el("p", { class: "soft" }, text.slice(1).join(" ")),
      ),
      picture ?? el("p", { class: "soft" }, "The card of this model states no rates to draw."),
    );
  }

  crops() {
    const found = this.panes
      .filter((pane) => pane.view.isDrawn)
      .map((pane) =>
        cropOf(pane.view.photo, pane.faces[pane.chosen], this.model.card, "The face as the network sees it"),
      );
    return el("div", { class: "crops" }, found);
  }
}

const isMeant = (pane, face) =>
  face === null || String(pane.faces[pane.chosen].box_xyxy) === String(face.box_xyxy);

function sentences(answer, similarity, isMatch, calibration) {
  const cut = answer.threshold_similarity;
  const lines = [
    isMatch
      ? `Taken for the same person: the similarity ${score(similarity)} reaches the cut at ${score(cut)}.`
      : `Taken for two people: the similarity ${score(similarity)} is below the cut at ${score(cut)}.`,
  ];
  const { fmr_at_threshold: measured, fmr_at_most: bound } = answer;
  if (measured?.fmr != null) {
    const pairs = `${count(measured.n_impostor, "pair")} of two people, ${measured.dataset}`;
    lines.push(`False match rate at this cut: ${rate(measured.fmr)}, measured on ${pairs}.`);
    if (measured.fnmr != null) lines.push(`Of pairs of one person ${percent(measured.fnmr)} were missed.`);
  } else if (bound !== null) lines.push(`False match rate at this cut: at most ${rate(bound)}.`);
  else lines.push("The card states no false match rate for this cut.");
  const here = rateAt(calibration, similarity);
  if (here !== null) lines.push(`Of pairs of two people at most ${rate(here)} are as alike as this.`);
  return lines;
}
