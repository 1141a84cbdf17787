// One answer, shown: drawn over its picture, listed by class, as a table, as JSON and as code; filtered in the browser.
import { find, findAll, h, icon, save, svg } from "./dom.js";
import { onKey, toast } from "./shell.js";
import { commandFor, curlFor, pythonFor } from "./codes.js";
import { Viewer } from "./viewer.js";
import { credits, milliseconds, score, t } from "./words.js";

const MOST_ROWS = 500; // a longer table is shown on demand
const MOST_CLASSES = 60;

export class AnswerView {
  constructor() {
    this.viewer = new Viewer(find("#stage"), find("#canvas"));
    this.off = new Set();
    this.floor = null; // as the model decided, until a person moves the slider
    this.viewer.onhover = (item) => this.#mark(item);
    this.#listen();
  }

  /** `filename`, `parameters`: what was asked, for the code tabs. `network_ms`: null where nobody waited. */
  show(answer, { filename, parameters, network_ms = null, mask = null }) {
    this.answer = answer;
    this.asked = { origin: location.origin, filename, parameters, mask };
    this.floor = null;
    this.off.clear();
    this.items = itemsOf(answer);
    find("#result").hidden = find("#views").hidden = find("#stage-tools").hidden = false;
    find("#floors").hidden = !this.items.some((item) => item.box);
    const slider = find("#confidence");
    slider.value = parameters.confidence ?? 0.5;
    slider.nextElementSibling.textContent = parameters.confidence === undefined ? t("auto") : score(parameters.confidence);
    this.#showTime(answer, network_ms);
    this.#showFacts(answer);
    this.#showCodes();
    find("#download-annotated").href = `/api/v1/predictions/${answer.prediction_id}/annotated`;
    find("#download-annotated").download = `${filename.replace(/\.\w+$/, "")}-marked.jpg`;
    find("#download-annotated").hidden = answer.task === "inpaint";
    find("#download-coco").hidden = find("#floors").hidden;
    this.refresh();
  }

  refresh() {
    const shown = this.items.filter((item) => this.#passes(item));
    this.shown = shown;
    this.viewer.setItems(shown);
    const unsure = shown.filter((item) => item.unsure).length;
    const head = headOf(this.answer, shown);
    find("#result-head").textContent = head;
    find("#unsure-count").hidden = unsure === 0;
    find("#unsure-count").replaceChildren(icon("unsure"), t("{count} unsure", { count: unsure }));
    find("#canvas").setAttribute("aria-label", `${head}: ${shown.slice(0, 20).map((item) => item.label).join(", ")}`);
    this.#showClasses();
    this.#showTable(shown, MOST_ROWS);
  }

  #passes(item) {
    return !this.off.has(item.class_id) && (this.floor === null || item.score >= this.floor);
  }

  /** Classes with how many there are of each; a classifier's are its answers themselves. */
  #showClasses() {
    const groups = new Map();
    for (const item of this.items) {
      if (this.floor !== null && item.score < this.floor) continue;
      const group = groups.get(item.class_id) ?? { ...item, items: [] };
      group.items.push(item);
      groups.set(item.class_id, group);
    }
    find("#classes").replaceChildren(...[...groups.values()].slice(0, MOST_CLASSES).map((group) => this.#classRow(group)));
  }

  #classRow(group) {
    const { class_id, label, score: best, items, number } = group;
    const colour = group.box ? `c${(class_id % 8) + 1}` : ""; // of boxes; a bar in the palette's white would be no bar
    const bar = svg("svg", { class: `bar ${colour}`, "aria-hidden": "true" }, svg("rect", { width: `${100 * best}%`, height: "100%" }));
    const plate = h("span", { class: `plate-no ${colour}` }, String(items.length > 1 ? `×${items.length}` : number));
    const name = h("span", { class: "name" }, plate, label, items.every((item) => item.unsure) && h("small", {}, t("unsure")));
    const told = h("span", { class: "score" }, score(best));
    if (!group.box) return h("div", { class: "class-row plain-row" }, name, told, bar);
    const box = h("input", { type: "checkbox", "aria-label": label });
    box.checked = !this.off.has(class_id);
    box.addEventListener("change", () => this.#toggle(class_id));
    return h(
      "label",
      { class: "class-row", onpointerenter: () => this.viewer.setHot(items[0]), onpointerleave: () => this.viewer.setHot(null) },
      box,
      name,
      told,
      bar,
    );
  }

  #toggle(class_id) {
    if (!this.off.delete(class_id)) this.off.add(class_id);
    const shown = this.items.filter((item) => this.#passes(item));
    this.viewer.setItems((this.shown = shown));
    this.#showTable(shown, MOST_ROWS);
  }

  #showTable(items, most) {
    const boxes = items.some((item) => item.box);
    const numbers = boxes ? [t("Confidence"), "x", "y", t("Width"), t("Height")] : [t("Confidence")];
    const heads = [h("th", { scope: "col" }, t("No.")), h("th", { scope: "col" }, t("Class"))];
    find("#table thead").replaceChildren(h("tr", {}, ...heads, ...numbers.map((name) => h("th", { scope: "col", class: "num" }, name))));
    this.rows = new Map();
    const rows = items.slice(0, most).map((item) => {
      const values = boxes ? [score(item.score), ...item.box.map((side) => Math.round(side))] : [score(item.score)];
      const row = h(
        "tr",
        { onpointerenter: () => this.viewer.setHot(item), onpointerleave: () => this.viewer.setHot(null) },
        h("td", {}, String(item.number)),
        h("th", { scope: "row" }, item.label, item.unsure && h("span", { class: "badge" }, t("unsure"))),
        ...values.map((value) => h("td", { class: "num" }, String(value))),
      );
      this.rows.set(item, row);
      return row;
    });
    if (items.length > most) {
      const all = h("button", { class: "button", type: "button", onclick: () => this.#showTable(items, Infinity) }, t("Show all {count}", { count: items.length }));
      rows.push(h("tr", {}, h("td", { colspan: 7 }, all)));
    }
    if (!items.length) {
      const why = this.answer.task === "inpaint" ? t("The answer is the picture itself.") : t("Nothing was found.");
      rows.push(h("tr", {}, h("td", { colspan: 7, class: "quiet" }, why)));
    }
    find("#table tbody").replaceChildren(...rows);
  }

  #mark(item) {
    for (const row of findAll("tr[aria-selected]", find("#table"))) row.removeAttribute("aria-selected");
    this.rows?.get(item)?.setAttribute("aria-selected", "true");
  }

  #showTime(answer, network_ms) {
    const { decode, queue, model, total } = answer.timing;
    const parts = [[t("Decode"), decode], [t("Queue"), queue], [t("Model"), model]];
    if (network_ms !== null) parts.push([t("Network"), network_ms]);
    const sum = parts.reduce((all, [, ms]) => all + ms, 0) || 1;
    let x = 0;
    const strip = svg("svg", { class: "strip", role: "img", "aria-label": t("Time split") });
    parts.forEach(([, ms], at) => {
      strip.append(svg("rect", { class: `p${at + 1}`, x: `${x}%`, width: `${(100 * ms) / sum}%`, height: "100%" }));
      x += (100 * ms) / sum;
    });
    find("#time-total").textContent = milliseconds(network_ms === null ? total : total + network_ms);
    find("#time-words").textContent = answer.cached ? t("remembered from before") : network_ms === null ? t("on the server") : t("from asking to result");
    const legend = parts.map(([words, ms], at) => h("li", {}, h("i", { class: `p${at + 1}` }), words, h("b", {}, milliseconds(ms))));
    find("#split").replaceChildren(strip, h("ul", {}, ...legend));
  }

  #showFacts(answer) {
    const facts = [
      [t("Model"), `${answer.model} ${answer.model_version}`],
      [t("This run"), answer.cost ? t("{amount} credits", { amount: credits(answer.cost) }) : t("free: it was known")],
    ];
    find("#facts").replaceChildren(
      ...facts.flatMap(([name, value], at) => {
        const cls = at === facts.length - 1 ? "sum" : undefined;
        return [h("dt", { class: cls }, name), h("dd", { class: cls }, value)];
      }),
    );
  }

  #showCodes() {
    find("#code-json").textContent = JSON.stringify(this.answer, null, 2);
    find("#code-curl").textContent = curlFor(this.asked);
    find("#code-python").textContent = pythonFor(this.asked);
    find("#code-cli").textContent = commandFor(this.asked);
  }

  #listen() {
    const { viewer } = this;
    const zooms = { fit: () => viewer.fit(), in: () => viewer.zoomBy(1.5), out: () => viewer.zoomBy(1 / 1.5), one: () => viewer.oneToOne() };
    for (const button of findAll("[data-zoom]")) button.addEventListener("click", zooms[button.dataset.zoom]);
    onKey("Digit0", t("Fit"), zooms.fit, { always: true });
    onKey("Equal", t("Zoom in"), zooms.in, { key: "+", always: true });
    onKey("Minus", t("Zoom out"), zooms.out, { key: "−", always: true });
    const hide = (hidden) => {
      viewer.hidden = hidden;
      viewer.paint();
    };
    const button = find("#hide-overlay");
    button.addEventListener("click", () => {
      const pressed = button.getAttribute("aria-pressed") !== "true";
      button.setAttribute("aria-pressed", String(pressed));
      hide(pressed);
    });
    document.addEventListener("keydown", (event) => event.key === "Shift" && !event.target.closest("input, textarea, select") && hide(true));
    document.addEventListener("keyup", (event) => event.key === "Shift" && hide(button.getAttribute("aria-pressed") === "true"));
    find("#opacity").addEventListener("input", (event) => {
      viewer.opacity = event.target.value / 100;
      event.target.nextElementSibling.textContent = `${event.target.value} %`;
      viewer.paint();
    });
    find("#confidence").addEventListener("input", (event) => {
      this.floor = Number(event.target.value);
      event.target.nextElementSibling.textContent = score(this.floor);
      this.refresh();
    });
    for (const copy of findAll("[data-copy]")) {
      copy.addEventListener("click", () => this.#copy(document.getElementById(copy.dataset.copy).textContent, t("Copied.")));
    }
    find("#copy-link").addEventListener("click", () =>
      this.#copy(`${location.origin}/predictions/${this.answer.prediction_id}`, t("The link is copied.")),
    );
    find("#download-json").addEventListener("click", () => save(`${this.asked.filename}.json`, JSON.stringify(this.answer, null, 2), "application/json"));
    find("#download-coco").addEventListener("click", () => save(`${this.asked.filename}.coco.json`, JSON.stringify(cocoOf(this)), "application/json"));
    const view = (name) => () => find(`input[name="view"][value="${name}"]`).click();
    onKey("KeyJ", "JSON", view("json"));
    onKey("KeyC", t("Code"), view("curl"));
    onKey("KeyT", t("Table"), view("table"));
    for (let at = 1; at <= 9; at++) {
      const toggle = () => find("#classes").children[at - 1]?.querySelector("input")?.click();
      onKey(`Digit${at}`, at === 1 ? t("Class on or off") : "", toggle, { key: at === 1 ? "1 … 9" : "" });
    }
  }

  async #copy(text, words) {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      // Plain HTTP to another machine has no clipboard: select it, so that Ctrl+C takes it.
      toast(text);
      return;
    }
    toast(words);
  }
}

function itemsOf(answer) {
  const sure = answer.classes ?? answer.detections ?? answer.masks ?? [];
  const unsure = (answer.unsure ?? []).map((item) => ({ ...item, unsure: true }));
  return [...sure, ...unsure].map((item, at) => ({ ...item, number: at + 1 }));
}

function headOf(answer, shown) {
  if (answer.task === "classify") return shown.length ? shown[0].label : t("No class");
  if (answer.task === "inpaint") return t("Filled");
  const sure = shown.filter((item) => !item.unsure).length;
  return sure === 1 ? t("1 object") : t("{count} objects", { count: sure });
}

function cocoOf({ answer, shown, viewer }) {
  const classes = new Map(shown.map((item) => [item.class_id, item.label]));
  return {
    images: [{ id: 1, file_name: answer.filename, width: viewer.size.width, height: viewer.size.height }],
    categories: [...classes].map(([id, name]) => ({ id, name })),
    annotations: shown.map((item) => ({
      id: item.number,
      image_id: 1,
      category_id: item.class_id,
      bbox: item.box,
      area: item.box[2] * item.box[3],
      iscrowd: 0,
      score: item.score,
      ...(item.rle ? { segmentation: item.rle } : {}),
    })),
  };
}
