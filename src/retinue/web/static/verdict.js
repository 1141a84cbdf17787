// Right or wrong: one press, and what it really is where it was wrong.
import { post } from "./api.js";
import { find } from "./dom.js";
import { complain, onKey, toast } from "./shell.js";
import { t } from "./words.js";

/** `prediction` is asked at the moment of the press: the playground's answer changes. */
export function judging(prediction) {
  const [yes, no, form] = [find("#verdict-yes"), find("#verdict-no"), find("#verdict-form")];
  const press = (correct) => {
    yes.setAttribute("aria-pressed", String(correct === true));
    no.setAttribute("aria-pressed", String(correct === false));
    form.hidden = correct !== false;
  };
  const say = async (told) => {
    const { prediction_id } = prediction() ?? {};
    if (!prediction_id) return;
    press(told.correct);
    try {
      await post(`/api/v1/predictions/${prediction_id}/feedback`, told);
      toast(t("Thank you, it is noted."));
    } catch (refused) {
      complain(refused);
    }
  };
  yes.addEventListener("click", () => say({ correct: true }));
  no.addEventListener("click", () => say({ correct: false }));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const [label, comment] = [find("#verdict-label").value.trim(), find("#verdict-comment").value.trim()];
    say({ correct: false, comment, ...(label ? { label } : {}) });
  });
  onKey("KeyY", t("It is right"), () => yes.click());
  onKey("KeyN", t("It is wrong"), () => no.click());
  return press;
}
