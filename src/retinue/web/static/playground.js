// The playground: a picture comes from anywhere, runs at once, and a change of what is asked runs it again.
import { call } from "./api.js";
import { AnswerView } from "./answer.js";
import { find, findAll, told } from "./dom.js";
import { showHeat } from "./heat.js";
import { complain, onKey, refreshCredits } from "./shell.js";
import { shrunkBitmapOf } from "./stage.js";
import { judging } from "./verdict.js";
import { credits, score, t } from "./words.js";

const AGAIN_MS = 500;
const models = new Map(told("models").map((model) => [model.name, model]));
const view = new AnswerView();
const press = judging(() => view.answer);
const chosen = find("#model");
let picture = null; // {file, name}
let asked = {}; // what sliders changed; kept per model
let under_way = null;
let waiting = null;

const model = () => models.get(chosen.value);
const keptFloors = () => JSON.parse(localStorage.getItem("floors") ?? "{}");

function showModel() {
  const has = model();
  if (!has) return;
  find("#price").textContent = t("{amount} credits per picture", { amount: credits(has.price) });
  find("#explain-price").textContent = ` ${credits(has.price)}`;
  asked = keptFloors()[has.name] ?? {};
  const iou = find("#iou");
  iou.nextElementSibling.textContent = asked.iou === undefined ? t("auto") : score(asked.iou);
  if (asked.iou !== undefined) iou.value = asked.iou;
}

function keep() {
  localStorage.setItem("floors", JSON.stringify({ ...keptFloors(), [model().name]: asked }));
}

async function take(file, name) {
  picture = { file, name: name || t("pasted picture") };
  await run();
}

async function run(more = {}) {
  if (!picture || !model()) return;
  under_way?.abort();
  const mine = (under_way = new AbortController());
  find("#refusal").hidden = true;
  find("#busy").hidden = false;
  find("#before").hidden = true;
  const parameters = { model: model().name, ...asked, ...more };
  const form = new FormData();
  form.set("file", picture.file, picture.name);
  for (const [name, value] of Object.entries({ ...parameters, source: "ui" })) form.set(name, value);
  const drawn = showPicture(picture, mine);
  const began = performance.now();
  try {
    const answer = await call("POST", "/api/v1/predict", { form, signal: mine.signal });
    const took = performance.now() - began;
    if ((await drawn) === false) await showFromServer(answer.image_id);
    const network_ms = Math.max(0, took - (answer.cached ? 0 : answer.timing.total));
    view.show(answer, { filename: picture.name, parameters, network_ms });
    press(null);
    await showHeat(view.viewer, answer, find("#ramp").value);
    find("#explain").hidden = answer.task !== "classify" || Boolean(answer.heatmap_url);
    find("#ramps").hidden = !answer.heatmap_url;
    find("#stage").focus({ preventScroll: true });
  } catch (refused) {
    if (refused.name === "AbortError") return;
    find("#refusal").hidden = false;
    find("#refusal p").textContent = refused.message;
  } finally {
    if (under_way === mine) find("#busy").hidden = true;
  }
  refreshCredits().catch(complain);
}

/** False where this browser cannot decode it (TIFF): then the server shows it. */
async function showPicture({ file, name }, mine) {
  try {
    const bitmap = await createImageBitmap(file);
    if (under_way !== mine) return true;
    show(bitmap, bitmap.width, bitmap.height, name);
    return true;
  } catch {
    return false;
  }
}

async function showFromServer(image_id) {
  const { bitmap, width, height } = await shrunkBitmapOf(image_id);
  show(bitmap, width, height, picture.name);
}

function show(bitmap, width, height, name) {
  find("#stage-empty").hidden = true;
  if (view.viewer.picture && view.viewer.name === name && view.viewer.size.width === width) return; // the zoom stays
  view.viewer.name = name;
  view.viewer.setItems([]);
  view.viewer.show(bitmap, width, height);
  find("#file-name").textContent = `${name}, ${width} × ${height}`;
}

const again = () => {
  clearTimeout(waiting);
  waiting = setTimeout(run, AGAIN_MS);
};

chosen.addEventListener("change", () => {
  showModel();
  if (model()?.task === "inpaint") location.assign(`/inpaint?model=${encodeURIComponent(chosen.value)}`);
  else run();
});
// What the answer holds is filtered here; below its lowest score the model has to look again.
find("#confidence").addEventListener("change", (event) => {
  const floor = Number(event.target.value);
  const lowest = Math.min(asked.confidence ?? 1, ...view.items.map((item) => item.score));
  if (floor >= lowest) return;
  asked.confidence = floor;
  keep();
  again();
});
find("#iou").addEventListener("input", (event) => {
  asked.iou = Number(event.target.value);
  event.target.nextElementSibling.textContent = score(asked.iou);
  keep();
  again();
});
const explain = () => run({ explain: JSON.stringify({ ramp: find("#ramp").value }) });
find("#explain").addEventListener("click", explain);
find("#ramp").addEventListener("change", explain);
find("#choose").addEventListener("change", (event) => {
  const [file] = event.target.files;
  if (file) take(file, file.name);
  event.target.value = "";
});
document.addEventListener("paste", (event) => {
  const file = [...(event.clipboardData?.files ?? [])].find((one) => one.type.startsWith("image/"));
  if (file) take(file, file.name);
});
for (const kind of ["dragover", "drop"]) {
  document.addEventListener(kind, (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    find("#stage").classList.toggle("over", kind === "dragover");
    const [file] = event.dataTransfer.files;
    if (kind === "drop" && file) take(file, file.name);
  });
}
for (const example of findAll("[data-example]")) {
  example.addEventListener("click", async () => {
    const address = example.dataset.example;
    if (models.has(example.dataset.model)) chosen.value = example.dataset.model;
    showModel();
    const file = await (await fetch(address)).blob();
    await take(file, address.split("/").at(-1));
  });
}
onKey("Enter", t("Run again"), () => run(), { key: "Enter" });
showModel();
