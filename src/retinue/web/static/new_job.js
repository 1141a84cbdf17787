// A job's order: the price is asked with every change, and shown in the button before anything is held.
import { onceKey, post } from "./api.js";
import { find, findAll } from "./dom.js";
import { credits, duration, number, t } from "./words.js";

const ASK_MS = 300;
const form = find("#order");
const start = find("#start");
const model = find("#model");
const webhook = find("#webhook");
let waiting = null;
let asked = 0;
let key = onceKey();

const value = (id) => find(`#${id}`).value.trim();
const some = (told) => Object.fromEntries(Object.entries(told).filter(([, one]) => one !== "" && one !== undefined && !Number.isNaN(one)));
const quantity = (id) => (value(id) === "" || find(`#${id}`).closest("[hidden]") ? undefined : Number(value(id)));

function order() {
  const parameters = { annotate: find("#annotate").checked };
  for (const name of ["confidence", "iou", "top_k", "radius"]) parameters[name] = quantity(name);
  return some({
    dataset: value("dataset"),
    model: model.value,
    parameters: some(parameters),
    filter: some({ group: value("group"), from_index: quantity("from_index"), to_index: quantity("to_index") }),
    webhook: value("webhook"),
  });
}

function showFields() {
  const task = model.selectedOptions[0]?.dataset.task;
  for (const field of findAll("[data-for]")) field.hidden = !field.dataset.for.split(" ").includes(task);
}

async function quote() {
  if (!value("dataset") || !form.checkValidity()) {
    start.disabled = true;
    return;
  }
  const mine = ++asked;
  try {
    const { items, price, expected_seconds } = await post("/api/v1/inferences", { ...order(), dry_run: true });
    if (mine !== asked) return;
    find("#quote-items").textContent = number(items);
    find("#quote-time").textContent = expected_seconds === null ? t("not measured yet") : t("about {time}", { time: duration(expected_seconds) });
    find("#quote-price").textContent = credits(price);
    find("#order-error").textContent = "";
    start.textContent = t("Start for {amount} credits", { amount: credits(price) });
    start.disabled = false;
  } catch (refused) {
    if (mine !== asked) return;
    find("#order-error").textContent = refused.message;
    start.disabled = true;
  }
}

form.addEventListener("input", () => {
  key = onceKey();
  showFields();
  clearTimeout(waiting);
  waiting = setTimeout(quote, ASK_MS);
});
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  start.disabled = true;
  localStorage.setItem("job-webhook", webhook.value);
  try {
    const { inference_id } = await post("/api/v1/inferences", order(), { headers: { "Idempotency-Key": key } });
    location.assign(`/jobs/${inference_id}`);
  } catch (refused) {
    find("#order-error").textContent = refused.message;
    start.disabled = false;
  }
});
webhook.value = localStorage.getItem("job-webhook") ?? "";
showFields();
quote();
