// Asks the service that this page comes from, and nobody else.

import { ask as askUser, button, el } from "./dom.js";

export class ServiceError extends Error {
  constructor(message, type, status) {
    super(message);
    this.type = type;
    this.status = status;
  }
}

let token = "";
let pending = null;

export const read = (path, query = {}) => {
  const search = new URLSearchParams(query).toString();
  return send(search ? `${path}?${search}` : path, {});
};

export const change = (path, members) =>
  send(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(members),
  });

// Members that are lists are sent once for each value.
export function upload(path, members) {
  const body = new FormData();
  for (const [name, value] of Object.entries(members)) {
    for (const one of Array.isArray(value) ? value : [value]) body.append(name, one);
  }
  return send(path, { method: "POST", body });
}

async function send(path, options) {
  for (;;) {
    const used = token;
    const response = await fetched(path, options, used);
    if (response.status !== 401) return answer(response);
    if (used === token) await askForToken(used !== "");
  }
}

async function fetched(path, options, used) {
  const headers = { ...options.headers, ...(used && { Authorization: `Bearer ${used}` }) };
  try {
    return await fetch(path, { ...options, headers, credentials: "omit" });
  } catch {
    throw new ServiceError("The service cannot be reached. Does it still run?", "Unreachable", 0);
  }
}

async function answer(response) {
  let record;
  try {
    record = await response.json();
  } catch {
    throw new ServiceError(`The service answered with status ${response.status}.`, "", response.status);
  }
  if (record.error) throw new ServiceError(record.error.message, record.error.type, response.status);
  return record;
}

// Several requests may be refused at the same time; the question is put once.
function askForToken(wasWrong) {
  pending ??= tokenFromUser(wasWrong).finally(() => (pending = null));
  return pending;
}

async function tokenFromUser(wasWrong) {
  const input = el("input", {
    id: "token",
    type: "password",
    autocomplete: "current-password",
    required: true,
    autofocus: true,
    pattern: "[!-~]+",
    "aria-describedby": "token-note",
  });
  const note = wasWrong
    ? "That was not the token. Try again."
    : "This service answers those who have its token. It is kept until this page is closed.";
  const content = [
    el("p", { id: "token-note", class: wasWrong ? "error" : "soft" }, note),
    el("label", { for: "token" }, "Token"),
    input,
  ];
  const cancel = button("Cancel", (event) => event.target.closest("dialog").close(""));
  const given = await askUser("A token is needed", content, [
    cancel,
    el("button", { class: "primary", value: "use" }, "Use it"),
  ]);
  if (given !== "use") throw new ServiceError("Without its token the service does not answer.", "", 401);
  token = input.value;
}
