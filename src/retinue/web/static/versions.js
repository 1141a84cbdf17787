// Which candidate answers beside the active version, and how often.
import { patch } from "./api.js";
import { find } from "./dom.js";
import "./forms.js";

find("#shadow")?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = event.target;
  const { version, percent } = Object.fromEntries(new FormData(form));
  try {
    await patch(form.dataset.address, { shadow: { version, percent: Number(percent) } });
    location.reload();
  } catch (refused) {
    find("[data-error]", form).textContent = refused.message;
  }
});
