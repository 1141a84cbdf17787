// A queue of pictures to judge: what is judged leaves, and the next one has the focus.
import { find, findAll } from "./dom.js";
import "./forms.js";
import { toast } from "./shell.js";
import { t } from "./words.js";

find("#queue").addEventListener("done", (event) => {
  event.preventDefault();
  const card = event.target.closest("[data-one]");
  const next = card.nextElementSibling ?? card.previousElementSibling;
  card.remove();
  toast(t("Thank you, it is noted."));
  find("#nothing-left").hidden = findAll("[data-one]").length > 0;
  find("button", next ?? find("#nothing-left"))?.focus();
});
