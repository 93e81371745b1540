// The third tab: which model answers, how well, and how to have another one.

import { read } from "./api.js";
import { chart } from "./chart.js";
import { el } from "./dom.js";
import { count, percent, rate, score, size } from "./words.js";

export class Model {
  constructor(panel) {
    this.panel = panel;
  }

  async open() {
    if (this.panel.childElementCount) return;
    this.panel.replaceChildren(el("p", { class: "soft", role: "status" }, "Asking for the card\u2026"));
    try {
      const [served, listed] = await Promise.all([read("model"), read("models")]);
      this.panel.replaceChildren(
        card(served),
        rates(served.card.calibration),
        others(listed.models, served.card.name),
      );
    } catch (error) {
      this.panel.replaceChildren();
      this.panel.append(el("p", { class: "error card", role: "alert" }, error.message));
    }
  }
}

function card({ card: own, model, detector, version }) {
  const { source, crop, input } = own;
  const rows = [
    ["Source", source.title],
    ["License", source.license],
    ["Published accuracy", source.accuracy],
    ["Detector", detector ?? "none: photos are face crops"],
    ["Crop", `${input.width_px} \u00d7 ${input.height_px} px, by ${crop.rule}`],
    ["Embedding", count(own.embedding_size, "number")],
    ["File", `${own.file_name}, ${size(own.file_size_bytes)}`],
    ["SHA-256", own.file_sha256],
    ["facekit", version],
  ].filter(([, value]) => value);
  return el(
    "section",
    { class: "card" },
    el("p", { class: "soft over" }, "The model that answers"),
    el("h2", {}, model),
    el(
      "dl",
      {},
      rows.flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]),
    ),
  );
}

function rates(calibration) {
  const points = calibration?.operating_points ?? [];
  if (!points.length) {
    return el(
      "section",
      { class: "card" },
      el("h2", {}, "Error rates"),
      el("p", { class: "soft" }, "The card states none: calibrate the model first (facekit calibrate)."),
    );
  }
  const rows = points.map((point) =>
    el(
      "tr",
      {},
      el("th", { scope: "row" }, point.target),
      el("td", {}, score(point.threshold_similarity)),
      el("td", {}, withInterval(point.fmr, point.fmr_ci95)),
      el("td", {}, withInterval(point.fnmr, point.fnmr_ci95)),
    ),
  );
  const [{ n_impostor, n_genuine }] = points;
  const picture = chart(calibration, {
    summary: "The rates of the card by similarity; the table beside has its figures.",
  });
  return el(
    "section",
    { class: "card" },
    el("h2", {}, "Error rates"),
    el(
      "p",
      { class: "soft" },
      `Measured on ${calibration.source}: ${count(n_impostor, "pair")} of two people, ${count(n_genuine, "pair")} of one person. The second line is the 95 % interval.`,
    ),
    el(
      "div",
      { class: "two wide" },
      table(["Cut for", "Similarity", "False matches", "False non-matches"], rows),
      picture,
    ),
  );
}

function withInterval(value, interval) {
  if (value == null) return "not measured";
  const range = interval
    ? el(
        "span",
        { class: "soft interval" },
        `${interval.map((one) => percent(one).slice(0, -2)).join(" to ")} %`,
      )
    : null;
  return el("span", {}, percent(value), range);
}

function others(models, served) {
  const embedding = models.filter((model) => model.task === "embedding");
  const other = embedding.find((model) => model.name !== served)?.name ?? served;
  return el(
    "section",
    { class: "card" },
    el("h2", {}, "Other models"),
    el(
      "p",
      { class: "soft" },
      "A service answers with one model, since templates of two models do not compare. Start it anew for another one:",
    ),
    el("pre", {}, el("code", {}, `facekit models build ${other}\nfacekit serve --model ${other}`)),
    el(
      "ul",
      { class: "people" },
      embedding.map((model) => row(model, model.name === served)),
    ),
  );
}

function row(
  { name, summary, license, match_rate: found, embedding_time: time, stored_variants: files },
  isServed,
) {
  const facts = [
    found
      ? `Finds ${percent(found.tar)} of pairs of one person at a false match rate of ${rate(found.fmr)}`
      : "No rates measured",
    time ? `${Math.round(time.median_ms)} ms a face` : null,
    files.length ? `here: ${files.join(", ")}` : "not built here",
  ];
  return el(
    "li",
    {},
    el(
      "div",
      { class: "fill" },
      el("span", { class: "name" }, name, isServed ? el("span", { class: "badge" }, "in use") : null),
      el("p", {}, summary),
      el("p", { class: "soft" }, facts.filter(Boolean).join("; ")),
      el("p", { class: "soft" }, `License: ${license}`),
    ),
  );
}

function table(heads, rows) {
  return el(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": `Table: ${heads[0]}` },
    el(
      "table",
      {},
      el(
        "thead",
        {},
        el(
          "tr",
          {},
          heads.map((head) => el("th", { scope: "col" }, head)),
        ),
      ),
      el("tbody", {}, rows),
    ),
  );
}
