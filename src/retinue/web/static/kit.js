// A kit's contents, changed in place and saved at once; its name and its picture.
import { call, patch } from "./api.js";
import { find, findAll, h, icon, told } from "./dom.js";
import "./forms.js";
import { complain } from "./shell.js";
import { t } from "./words.js";

const { id } = told("kit");
const address = `/api/v1/toolkits/${id}`;
const offered = new Map(told("tools").map((tool) => [tool.id, tool]));
const items = find("#items");
const save = find("#save-items");

const contents = () =>
  findAll("tr", items).map((row) => ({ tool_id: row.dataset.tool, quantity: Number(find("input", row).value) }));

function changed() {
  save.disabled = findAll("input", items).some((field) => !field.checkValidity());
  offer();
}

/** Each tool once: what is in it already is not offered. */
function offer() {
  const inside = new Set(contents().map((one) => one.tool_id));
  const rest = [...offered.values()].filter((tool) => !inside.has(tool.id));
  const options = rest.map((tool) => h("option", { value: tool.id }, [tool.name, tool.serial_number].filter(Boolean).join(", ")));
  find("#tool").replaceChildren(h("option", { value: "" }, t("choose")), ...options);
}

function add(tool) {
  const quantity = h("input", { class: "input short-number", type: "number", min: 1, max: 100, value: 1, "aria-label": t("Quantity of {name}", { name: tool.name }) });
  const remove = h("button", { class: "button square plain", type: "button", "data-removes": true, "aria-label": t("Take out {name}", { name: tool.name }) }, icon("cross"));
  const cells = [h("th", { scope: "row" }, tool.name), h("td", {}, tool.serial_number ?? "–"), h("td", {}), h("td", { class: "num" }, quantity), h("td", {}, remove)];
  items.append(h("tr", { data: { tool: tool.id } }, ...cells));
  changed();
}

if (save) {
  items.addEventListener("input", changed);
  items.addEventListener("click", (event) => {
    if (!event.target.closest("[data-removes]")) return;
    event.target.closest("tr").remove();
    changed();
    find("#tool").focus();
  });
  find("#add-item").addEventListener("submit", (event) => {
    event.preventDefault();
    const tool = offered.get(find("#tool").value);
    if (tool) add(tool);
  });
  save.addEventListener("click", async () => {
    find("#items-error").textContent = "";
    save.disabled = true;
    try {
      await patch(address, { items: contents() });
      location.reload();
    } catch (refused) {
      find("#items-error").textContent = refused.message;
      save.disabled = false;
    }
  });
  offer();
}

find("#change-form")?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const { name, description, model } = Object.fromEntries(new FormData(event.target));
  try {
    await patch(address, { name, description, model: model || null });
    location.reload();
  } catch (refused) {
    find("[data-error]", event.target).textContent = refused.message;
  }
});

find("#picture")?.addEventListener("change", async (event) => {
  const form = new FormData();
  form.set("picture", event.target.files[0]);
  try {
    await call("PUT", `${address}/picture`, { form });
    location.reload();
  } catch (refused) {
    complain(refused);
  }
});
