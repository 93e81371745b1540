// The second tab: who is known, and who is on a photo.

import { change, read } from "./api.js";
import { ask, button, el } from "./dom.js";
import { Enroll } from "./enroll.js";
import { Who } from "./who.js";
import { count, day } from "./words.js";

export class People {
  constructor(panel) {
    this.people = [];
    this.count = el("span", { class: "soft" });
    this.list = el("ul", { class: "people", "aria-label": "Known people" });
    this.status = el("div", { class: "answer", role: "status" });
    const who = new Who();
    const enroll = new Enroll(() => this.open());
    panel.append(
      el(
        "div",
        { class: "two" },
        who.node,
        el(
          "div",
          { class: "stack" },
          enroll.node,
          el(
            "section",
            { class: "card", "aria-label": "Known people" },
            el(
              "div",
              { class: "row" },
              el("h2", {}, "Known people"),
              el("span", { class: "fill" }),
              this.count,
            ),
            this.status,
            this.list,
          ),
        ),
      ),
    );
  }

  async open() {
    try {
      this.people = (await read("people")).people;
    } catch (error) {
      this.say(el("p", { class: "error" }, error.message));
      return;
    }
    this.count.textContent = this.people.length ? count(this.people.length, "person", "people") : "";
    this.list.replaceChildren(
      ...(this.people.length
        ? this.people.map((person) => this.row(person))
        : [el("li", { class: "soft" }, "Nobody yet. Enroll somebody with a name and a few photos.")]),
    );
  }

  row(person) {
    const { name, template_count: templates, enrolled_at: since } = person;
    return el(
      "li",
      {},
      el(
        "div",
        { class: "fill" },
        el("bdi", { class: "name" }, name),
        el("span", { class: "soft" }, `${count(templates, "photo")}, since ${day(since)}`),
      ),
      this.people.length > 1
        ? button("Merge\u2026", () => this.merge(person), {
            class: "small",
            "aria-label": `Merge ${name} with another person`,
          })
        : null,
      button("Remove\u2026", () => this.remove(person), { class: "small", "aria-label": `Remove ${name}` }),
    );
  }

  say(...content) {
    this.status.replaceChildren(...content);
  }

  async merge({ name }) {
    const choice = el(
      "select",
      { id: "other" },
      this.people
        .filter((one) => one.name !== name)
        .map((one) => el("option", { value: one.name }, one.name)),
    );
    const label = el("label", { for: "other" }, "Who is the same person as ", el("bdi", {}, name), "?");
    const note = el(
      "p",
      { class: "soft" },
      "That name goes away, and its photos become ",
      el("bdi", {}, name),
      "\u2019s. This can be undone.",
    );
    const answer = await ask("Merge two people", el("div", { class: "fields" }, label, choice, note), [
      el("button", { value: "" }, "Cancel"),
      el("button", { value: "merge", class: "primary" }, "Merge"),
    ]);
    const other = choice.value;
    if (answer !== "merge") return;
    await this.changed("people/merge", { name, other }, () => [
      el("bdi", {}, other),
      " is now a part of ",
      el("bdi", {}, name),
      ". ",
      button(
        "Undo",
        () =>
          this.changed("people/unmerge", { name, other }, () => [
            el("bdi", {}, other),
            " is a person of their own again.",
          ]),
        { class: "small" },
      ),
    ]);
  }

  // Asked twice, since nothing brings the person back.
  async remove({ name, template_count: templates }) {
    const first = await ask(
      "Remove a person?",
      el("p", {}, el("bdi", {}, name), ` with ${count(templates, "photo")} will no longer be known.`),
      [el("button", { value: "" }, "Keep"), el("button", { value: "remove" }, "Remove")],
    );
    if (first !== "remove") return;
    const second = await ask(
      "Remove for good?",
      el("p", {}, "This cannot be undone: to know ", el("bdi", {}, name), " again, photos are needed."),
      [
        el("button", { value: "" }, "Keep"),
        el("button", { value: "remove", class: "danger" }, "Remove for good"),
      ],
    );
    if (second !== "remove") return;
    await this.changed("people/remove", { name }, () => [el("bdi", {}, name), " was removed."]);
  }

  async changed(path, members, words) {
    try {
      const { found } = await change(path, members);
      this.say(el("p", {}, found ? words() : "Nobody has this name any more."));
    } catch (error) {
      this.say(el("p", { class: "error" }, error.message));
    }
    await this.open();
    this.list.querySelector("button")?.focus({ preventScroll: true });
  }
}
