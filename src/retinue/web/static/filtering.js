// A search field that hides what does not have its words: the whole list is on the page already.
import { find, findAll } from "./dom.js";

for (const field of findAll("[data-filters]")) {
  field.addEventListener("input", () => {
    const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const one of findAll(field.dataset.filters)) {
      const text = (one.dataset.words ?? one.textContent).toLowerCase();
      one.hidden = !words.every((word) => text.includes(word));
      shown += one.hidden ? 0 : 1;
    }
    find("#nothing-found").hidden = shown > 0;
  });
}
