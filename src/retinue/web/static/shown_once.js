// A new secret is shown once, in a dialog that waits until the person has it.
import { find, findAll } from "./dom.js";
import "./forms.js";

for (const form of findAll("[data-shows]")) {
  form.addEventListener("done", (event) => {
    event.preventDefault();
    form.closest("dialog")?.close();
    find("#secret-text").textContent = event.detail[form.dataset.shows];
    find("#secret").addEventListener("close", () => location.reload(), { once: true });
    find("#secret").showModal();
  });
}
