// The admin asks whether the books are right, and sees every rule that is not kept.
import { get } from "./api.js";
import { find, h, icon } from "./dom.js";
import { complain } from "./shell.js";
import { t } from "./words.js";

find("#verify").addEventListener("click", async ({ currentTarget }) => {
  currentTarget.disabled = true;
  try {
    const { ok, violations } = await get("/api/v1/admin/ledger/verify");
    find("#verdict").replaceChildren(
      ok
        ? h("p", { class: "notice ok" }, icon("check"), h("span", {}, t("Every entry is right.")))
        : h("ul", { class: "stack tight" }, ...violations.map((one) => h("li", { class: "notice bad" }, icon("alert"), h("span", {}, `${one.rule}, ${one.about}: ${one.words}`)))),
    );
  } catch (refused) {
    complain(refused);
  } finally {
    currentTarget.disabled = false;
  }
});
