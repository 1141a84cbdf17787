// What is in a dataset: looked at, chosen, deleted, and added to.
import { get, post, remove } from "./api.js";
import { find, findAll, h, told } from "./dom.js";
import { ask } from "./forms.js";
import "./more.js";
import { complain, onKey, refreshCredits, toast } from "./shell.js";
import { Uploading } from "./uploading.js";
import { credits, number, t } from "./words.js";

const dataset = told("dataset");
const base = `/api/v1/datasets/${dataset.id}`;
const grid = find("#items");
const counts = { accepted: 0, duplicates: 0, skipped: 0, rejected: 0 };
let spent = 0;
let last = null; // where a choice with Shift begins

const uploading = new Uploading(dataset.id, {
  report(files, cost) {
    if (Object.values(files).every((list) => list.length === 0)) return;
    find("#report").hidden = false;
    for (const name of Object.keys(counts)) {
      counts[name] += files[name].length;
      find(`[data-count="${name}"]`).textContent = number(counts[name]);
    }
    const reasons = [...files.rejected.map((one) => [one.name, one.reason]), ...files.skipped.map((name) => [name, t("skipped: not a picture or video")]), ...files.duplicates.map((name) => [name, t("is there already; free")])];
    find("#reasons").append(...reasons.map(([name, why]) => h("tr", {}, h("th", { scope: "row" }, name), h("td", {}, why))));
    spent += cost;
    find("#spent").textContent = t("{amount} credits", { amount: credits(spent) });
    refreshCredits().catch(complain);
  },
});

for (const field of findAll("#files, #folder")) {
  field.addEventListener("change", () => {
    uploading.add(field.files);
    field.value = "";
  });
}
for (const kind of ["dragover", "drop"]) {
  document.addEventListener(kind, (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    find("#drop").classList.toggle("over", kind === "dragover");
    if (kind === "drop") filesOf(event.dataTransfer).then((files) => uploading.add(files)).catch(complain);
  });
}

/** Dropped folders are opened. */
async function filesOf(transfer) {
  const found = [];
  const open = async (entry) => {
    if (entry.isFile) found.push(await new Promise((got, lost) => entry.file(got, lost)));
    if (!entry.isDirectory) return;
    const reader = entry.createReader();
    for (;;) {
      const some = await new Promise((got, lost) => reader.readEntries(got, lost));
      if (some.length === 0) return;
      for (const one of some) await open(one);
    }
  };
  for (const entry of [...transfer.items].map((item) => item.webkitGetAsEntry()).filter(Boolean)) await open(entry);
  return found;
}

const chosen = () => findAll(".thumb:has(:checked)", grid ?? document.createElement("div"));

function showChosen() {
  const items = chosen();
  find("#select-bar").hidden = items.length === 0;
  find("#selected-count").textContent = t("{count} selected", { count: number(items.length) });
  const indexes = items.map((item) => Number(item.dataset.index));
  // A job takes a stretch of the dataset: offered where what was chosen is one.
  const [low, high] = [Math.min(...indexes), Math.max(...indexes)];
  const between = findAll(".thumb", grid).filter((item) => Number(item.dataset.index) >= low && Number(item.dataset.index) <= high);
  find("#run-selected").hidden = between.length !== indexes.length;
  find("#run-selected").href = `/jobs/new?dataset=${dataset.id}&from_index=${low}&to_index=${high}`;
}

async function preview(item) {
  const facts = await get(`${base}/items/${item.dataset.index}`);
  const isVideo = facts.frames !== null;
  find("#preview-head").textContent = facts.image_path;
  find("#preview-body").replaceChildren(
    isVideo ? h("video", { src: facts.url, controls: true, class: "preview-film" }) : h("img", { src: facts.url, alt: facts.image_path }),
  );
  const told = [[t("Size"), `${facts.width} × ${facts.height}`], [t("Type"), facts.type], [t("Index"), facts.index], isVideo && [t("Frames"), facts.frames], [t("Cost"), credits(facts.cost)]];
  find("#preview-facts").replaceChildren(...told.filter(Boolean).flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, String(value))]));
  find("#preview").showModal();
}

function step(event, by) {
  const all = findAll(".thumb input", grid);
  const at = all.indexOf(document.activeElement);
  all[Math.max(0, Math.min(all.length - 1, at + by))]?.focus();
}

if (grid) {
  grid.addEventListener("click", (event) => {
    const box = event.target.closest("input");
    if (!box) return;
    if (event.shiftKey && last) {
      const all = findAll(".thumb input", grid);
      const [from, to] = [all.indexOf(last), all.indexOf(box)].sort((a, b) => a - b);
      for (const one of all.slice(from, to + 1)) one.checked = box.checked;
    }
    last = box;
    showChosen();
  });
  grid.addEventListener("dblclick", (event) => preview(event.target.closest(".thumb")).catch(complain));
  grid.addEventListener("keydown", (event) => {
    const columns = getComputedStyle(grid).gridTemplateColumns.split(" ").length;
    const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns };
    if (event.code in steps) {
      event.preventDefault();
      step(event, steps[event.code]);
    } else if (event.code === "Enter") {
      event.preventDefault();
      preview(event.target.closest(".thumb")).catch(complain);
    }
  });
}
onKey("Enter", t("Look at the picture"), () => {}, { key: "Enter" });
onKey("KeyA", t("Select all"), () => {
  for (const box of findAll(".thumb input", grid)) box.checked = true;
  showChosen();
}, { ctrl: true });
onKey("Delete", t("Delete what is selected"), () => chosen().length && find("#delete-selected").click(), { key: "Del" });

find("#select-none").addEventListener("click", () => {
  for (const item of chosen()) find("input", item).checked = false;
  showChosen();
});
find("#delete-selected").addEventListener("click", async () => {
  const items = chosen();
  if (!(await ask(t("Delete {count} items for good, with their files?", { count: items.length }), t("Delete")))) return;
  for (const item of items) {
    try {
      await remove(`${base}/items/${item.dataset.index}`);
      item.remove();
    } catch (refused) {
      complain(refused);
      break;
    }
  }
  showChosen();
});
find("#delete-dataset").addEventListener("click", async () => {
  if (!(await ask(t("Delete the dataset {name}? You can undo it.", { name: dataset.name }), t("Delete")))) return;
  try {
    await remove(base);
  } catch (refused) {
    complain(refused);
    return;
  }
  toast(t("The dataset is deleted."), { action: t("Undo"), act: () => post(`${base}/restore`).then(() => location.reload(), complain) });
  find("#main").classList.add("gone");
});
find("#show-masks").addEventListener("change", (event) => {
  for (const mask of findAll(".mask-over")) mask.hidden = !event.target.checked;
});
grid?.addEventListener("grown", () => find("#show-masks").dispatchEvent(new Event("change")));
const resize = (value) => grid?.style.setProperty("--thumb", `${value / 16}rem`);
find("#thumb-size").value = localStorage.getItem("thumb-size") ?? 160;
resize(find("#thumb-size").value);
find("#thumb-size").addEventListener("input", (event) => {
  resize(event.target.value);
  localStorage.setItem("thumb-size", event.target.value);
});
