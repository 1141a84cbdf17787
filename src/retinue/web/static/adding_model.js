// A model comes in: sent or pulled, tried by the server, and then shown with what the trial saw.
import { call } from "./api.js";
import { find } from "./dom.js";
import "./forms.js";
import { valuesOf } from "./forms.js";
import { t } from "./words.js";

const form = find("#add-model");
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const words = find("[data-error]", form);
  const [file] = find("#model-file").files;
  const source = find("#source").value.trim();
  words.textContent = "";
  if (!file && !source) {
    words.textContent = t("Choose a file, or say where to pull it from.");
    return;
  }
  const button = find("button", form);
  button.disabled = true;
  find("#adding").hidden = false;
  try {
    const sent = new FormData();
    if (file) {
      sent.set("file", file, file.name);
      for (const [name, value] of Object.entries(valuesOf(form))) sent.set(name, value);
    }
    const answer = await call("POST", form.dataset.path, file ? { form: sent } : { json: { source } });
    location.assign(`/admin/models/${encodeURIComponent(answer.model)}`);
  } catch (refused) {
    const missing = refused.problem?.missing;
    words.textContent = [refused.message, missing && t("Say it below: {facts}.", { facts: missing.join(", ") })].filter(Boolean).join(" ");
    if (missing) find("details", form).open = true;
  } finally {
    button.disabled = false;
    find("#adding").hidden = true;
  }
});
