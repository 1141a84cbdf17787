// Forms and buttons that call the API: what to call stands in the page, refusals are shown where they happened.
//   <form data-call="POST /api/v1/datasets" data-then="/datasets/{name}">     a field's data-kind says how it is sent
//   <button data-call="DELETE /api/v1/me/keys/x" data-ask="…" data-then="reload">
import { call, onceKey } from "./api.js";
import { find, findAll, h } from "./dom.js";
import { complain, toast } from "./shell.js";
import { t } from "./words.js";

const KINDS = {
  number: Number,
  yes: (text) => text === "on" || text === "true",
  list: (text) => text.split(",").map((one) => one.trim()).filter(Boolean),
  day: (text) => new Date(`${text}T23:59:59`).toISOString(),
  json: JSON.parse,
};

/** The form's fields as JSON; what is empty is not sent, ticks of one name become a list. */
export function valuesOf(form) {
  const values = {};
  for (const field of form.elements) {
    if (!field.name || field.disabled || field.type === "file") continue;
    if (field.dataset.each !== undefined) {
      if (field.checked) (values[field.name] ??= []).push(field.value);
    } else if (field.type === "checkbox") values[field.name] = field.checked;
    else if (field.value !== "") values[field.name] = (KINDS[field.dataset.kind] ?? String)(field.value);
  }
  return values;
}

async function run(from, json) {
  const [method, path] = from.dataset.call.split(" ");
  const spends = from.dataset.once !== undefined;
  const answer = await call(method, path, { json, headers: spends ? { "Idempotency-Key": (from.onceKey ??= onceKey()) } : {} });
  from.onceKey = undefined;
  const event = new CustomEvent("done", { detail: answer, bubbles: true, cancelable: true });
  if (!from.dispatchEvent(event)) return;
  const then = from.dataset.then ?? "";
  if (from.dataset.say) sessionStorage.setItem("say", from.dataset.say);
  if (then === "reload") location.reload();
  else if (then) location.assign(then.replace(/\{(\w+)\}/g, (_, name) => encodeURIComponent(answer?.[name] ?? "")));
  else if (from.dataset.say) said();
}

function said() {
  const words = sessionStorage.getItem("say");
  sessionStorage.removeItem("say");
  if (words) toast(words);
}

/** A question before something is destroyed or paid; true when the person says go. */
export async function ask(question, go, { bad = true } = {}) {
  const dialog = h(
    "dialog",
    { class: "dialog", "aria-label": question },
    h(
      "form",
      { method: "dialog" },
      h("p", {}, question),
      h("footer", {}, h("button", { class: "button", value: "" }, t("Cancel")), h("button", { class: `button ${bad ? "danger" : "primary"}`, value: "go" }, go)),
    ),
  );
  document.body.append(dialog);
  dialog.showModal();
  await new Promise((closed) => dialog.addEventListener("close", closed, { once: true }));
  dialog.remove();
  return dialog.returnValue === "go";
}

export function listen(within = document) {
  for (const form of findAll("form[data-call]", within)) {
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const words = find("[data-error]", form) ?? form.appendChild(h("p", { class: "bad-text", role: "alert", "data-error": true }));
      const button = event.submitter ?? find("button:not([type=button])", form);
      words.textContent = "";
      button.disabled = true;
      try {
        await run(form, valuesOf(form));
      } catch (refused) {
        words.textContent = refused.message;
      } finally {
        button.disabled = false;
      }
    });
  }
  for (const button of findAll("button[data-call]", within)) {
    button.addEventListener("click", async () => {
      if (button.dataset.ask && !(await ask(button.dataset.ask, button.dataset.go ?? button.textContent.trim()))) return;
      button.disabled = true;
      try {
        await run(button, button.dataset.json ? JSON.parse(button.dataset.json) : undefined);
      } catch (refused) {
        complain(refused);
      } finally {
        button.disabled = false;
      }
    });
  }
  for (const button of findAll("[data-opens]", within)) {
    button.addEventListener("click", () => document.getElementById(button.dataset.opens).showModal());
  }
  for (const button of findAll("[data-copies]", within)) {
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(document.getElementById(button.dataset.copies).textContent);
      toast(t("Copied."));
    });
  }
}

listen();
said();

for (const button of findAll("[data-closes]")) button.addEventListener("click", () => button.closest("dialog").close());
