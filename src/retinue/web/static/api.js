// How scripts call the API with the session's cookie: refusals become errors with words, and an admin may be asked for
// the password again.
import { find } from "./dom.js";
import { t } from "./words.js";

export class Refused extends Error {
  constructor(status, problem) {
    super(problem.detail && problem.detail !== problem.title ? `${problem.title}. ${problem.detail}` : problem.title);
    this.status = status;
    this.code = problem.code;
    this.problem = problem;
  }
}

export async function call(method, path, { json, body, headers = {}, signal, form } = {}) {
  const answer = await send(method, path, { json, body: form ?? body, headers, signal });
  if (answer.ok) {
    if (answer.status === 204) return null;
    return (answer.headers.get("content-type") ?? "").startsWith("application/json") ? answer.json() : answer;
  }
  const refused = await refusalOf(answer);
  if (refused.code === "prove-again" && (await prove())) return call(method, path, { json, body, headers, signal, form });
  if (answer.status === 401) location.assign(`/login?next=${encodeURIComponent(location.pathname + location.search)}`);
  throw refused;
}

export const get = (path, more) => call("GET", path, more);
export const post = (path, json, more = {}) => call("POST", path, { json, ...more });
export const patch = (path, json) => call("PATCH", path, { json });
export const remove = (path) => call("DELETE", path);
export const onceKey = () => crypto.randomUUID?.() ?? [...crypto.getRandomValues(new Uint32Array(4))].join("-");

export async function refusalOf(answer) {
  let problem = { title: t("The server answered {status}", { status: answer.status }), code: "unknown" };
  if ((answer.headers.get("content-type") ?? "").includes("json")) problem = await answer.json();
  return new Refused(answer.status, problem);
}

async function send(method, path, { json, body, headers, signal }) {
  const sent = { "X-Requested-With": "retinue", Accept: "application/json", ...headers };
  if (json !== undefined) {
    sent["Content-Type"] = "application/json";
    body = JSON.stringify(json);
  }
  try {
    const answer = await fetch(path, { method, headers: sent, body, signal, credentials: "same-origin" });
    document.dispatchEvent(new CustomEvent("reached", { detail: true }));
    return answer;
  } catch (lost) {
    if (lost.name === "AbortError") throw lost;
    document.dispatchEvent(new CustomEvent("reached", { detail: false }));
    throw new Refused(0, { title: t("The server does not answer"), code: "unreachable" });
  }
}

/** Asks for the password until it fits; false when the person would rather not. */
async function prove() {
  const dialog = find("#prove");
  const field = find("#prove-password");
  const words = find("[data-error]", dialog);
  for (;;) {
    field.value = "";
    dialog.returnValue = "";
    dialog.showModal();
    await new Promise((closed) => dialog.addEventListener("close", closed, { once: true }));
    if (dialog.returnValue !== "go") return false;
    const form = new FormData();
    form.set("password", field.value);
    const answer = await send("POST", "/prove", { body: form, headers: {} });
    if (answer.ok) return true;
    words.textContent = t("That is not your password.");
  }
}
