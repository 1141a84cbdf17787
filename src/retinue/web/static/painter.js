// The mask painter: paint in the picture's own pixels, run when told, compare, and go on with the result.
import { call } from "./api.js";
import { compare } from "./comparing.js";
import { find, findAll, save } from "./dom.js";
import { keep, kept } from "./keeping.js";
import { MaskLayer } from "./mask_layer.js";
import { complain, onKey, refreshCredits, toast } from "./shell.js";
import { Stage } from "./stage.js";
import { milliseconds, number, t } from "./words.js";

const KEEP_MS = 400;
const MASK_OPACITY = 0.55; // the same everywhere, however often one paints over it
const model = find("#model");
let file = null; // sent as it is, byte for byte
let mask = null;
let tool = "brush";
let uncompare = null;
let waiting = null;

const diameter = () => Number(find("#brush-size").value);

class Painter extends Stage {
  ring = null; // where the brush is, on the picture
  from = null; // where the stroke has come to
  space = false;
  bare = false;

  pans() {
    return this.space;
  }

  press(event) {
    if (!mask) return;
    uncompare?.();
    this.from = this.ring = this.onPicture(this.at(event));
    mask.begin();
    if (tool === "fill") mask.fill(this.from);
    else if (tool !== "rectangle") mask.line(this.from, this.from, diameter(), { erase: tool === "eraser" });
    this.corner = this.from;
    this.paint();
  }

  drag(event) {
    if (!mask || !this.from) return;
    // Every place the pointer went through, not only where it was when a frame was drawn.
    for (const one of event.getCoalescedEvents?.() ?? [event]) {
      const to = (this.ring = this.onPicture(this.at(one)));
      if (tool === "brush" || tool === "eraser") mask.line(this.from, to, diameter(), { erase: tool === "eraser" });
      this.from = to;
    }
    this.paint();
  }

  release(event) {
    if (!mask || !this.from) return;
    if (event && tool === "rectangle") mask.rectangle(this.corner, this.from);
    this.from = this.corner = null;
    mask.end();
    changed();
  }

  hover(place) {
    this.ring = this.onPicture(place);
    this.paint();
  }

  leave() {
    this.ring = null;
    this.paint();
  }

  drawOver(context, { scale, left, top }) {
    if (mask && !this.bare) {
      context.save();
      context.globalAlpha = MASK_OPACITY;
      context.drawImage(tinted(), left, top, this.size.width * scale, this.size.height * scale);
      context.restore();
    }
    if (this.corner && tool === "rectangle") {
      const [x, y] = [left + this.corner.x * scale, top + this.corner.y * scale];
      outline(context, () => context.rect(x, y, (this.from.x - this.corner.x) * scale, (this.from.y - this.corner.y) * scale));
    }
    if (this.ring && (tool === "brush" || tool === "eraser")) {
      outline(context, () => context.arc(left + this.ring.x * scale, top + this.ring.y * scale, (diameter() / 2) * scale, 0, 7));
    }
  }
}

function outline(context, path) {
  for (const [colour, width] of [["rgb(10 12 14 / .72)", 3], ["#ffffff", 1]]) {
    context.strokeStyle = colour;
    context.lineWidth = width;
    context.beginPath();
    path();
    context.stroke();
  }
}

let tint = null;
/** The white mask in a colour that no photograph has much of. */
function tinted() {
  if (tint?.width !== mask.width || tint?.height !== mask.height) tint = new OffscreenCanvas(mask.width, mask.height);
  const context = tint.getContext("2d");
  context.globalCompositeOperation = "copy";
  context.drawImage(mask.canvas, 0, 0);
  context.globalCompositeOperation = "source-in";
  context.fillStyle = "#e6007a";
  context.fillRect(0, 0, tint.width, tint.height);
  return tint;
}

const painter = new Painter(find("#stage"), find("#canvas"));

/** After every step: what is shown about the mask, and what a reload must find again. */
function changed() {
  painter.paint();
  const share = mask ? mask.covered() : 0;
  find("#covered").textContent = share ? t("{percent} % of the picture is painted.", { percent: number(100 * share, share < 0.01 ? 2 : 0) }) : t("Nothing is painted yet.");
  find("#run").disabled = !file || share === 0;
  find("#undo").disabled = !mask?.done.length;
  find("#redo").disabled = !mask?.undone.length;
  clearTimeout(waiting);
  waiting = setTimeout(async () => {
    try {
      if (mask) await keep("painting", { file, name: file.name, mask: await mask.png() });
    } catch (lost) {
      complain(lost);
    }
  }, KEEP_MS);
}

async function take(picture, name, { keepMask = false } = {}) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(picture);
  } catch {
    toast(t("This browser cannot show {name}. Turn it into a JPEG or PNG first.", { name }), { bad: true });
    return;
  }
  uncompare?.();
  file = picture instanceof File && picture.name === name ? picture : new File([picture], name, { type: picture.type });
  const fits = mask && mask.width === bitmap.width && mask.height === bitmap.height;
  if (!keepMask || !fits) mask = new MaskLayer(bitmap.width, bitmap.height);
  painter.show(bitmap);
  find("#stage-empty").hidden = true;
  find("#result").hidden = true;
  find("#file-name").textContent = `${name}, ${bitmap.width} × ${bitmap.height}`;
  find("#canvas").setAttribute("aria-label", t("{name}, with the mask over it", { name }));
  find("#brush-size").max = Math.max(40, Math.round(Math.min(bitmap.width, bitmap.height) / 2));
  showSize();
  changed();
}

async function takeMask(picture) {
  const bitmap = await createImageBitmap(picture);
  if (!mask) return;
  if (bitmap.width !== mask.width || bitmap.height !== mask.height) {
    toast(t("The mask is {mask}, the picture {picture}: they must be of one size.", { mask: `${bitmap.width} × ${bitmap.height}`, picture: `${mask.width} × ${mask.height}` }), { bad: true });
    return;
  }
  step(() => mask.take(bitmap));
}

function step(change) {
  if (!mask) return;
  mask.begin();
  change();
  mask.end();
  changed();
}

async function run() {
  if (find("#run").disabled) return;
  find("#run").disabled = true;
  find("#busy").hidden = false;
  find("#refusal").hidden = true;
  const form = new FormData();
  const png = await mask.png();
  form.set("file", file, file.name);
  form.set("mask", png, "mask.png");
  for (const [name, value] of Object.entries({ model: model.value, radius: find("#radius").value, source: "ui" })) form.set(name, value);
  try {
    const answer = await call("POST", "/api/v1/predict", { form });
    await keep("last mask", png);
    const after = await (await fetch(answer.output_url)).blob();
    uncompare?.();
    painter.bare = true; // the result is looked at without the paint; the next stroke brings it back
    const end = compare(painter, await createImageBitmap(after));
    uncompare = () => {
      end();
      painter.bare = false;
      uncompare = null;
    };
    showResult(answer, after);
  } catch (refused) {
    find("#refusal").hidden = false;
    find("#refusal p").textContent = refused.message;
  } finally {
    find("#busy").hidden = true;
    find("#run").disabled = false;
  }
  refreshCredits().catch(complain);
}

function showResult(answer, after) {
  find("#result").hidden = false;
  find("#took").textContent = milliseconds(answer.timing.total);
  find("#download-result").href = answer.output_url;
  find("#download-result").download = `${file.name.replace(/\.\w+$/, "")}-filled.png`;
  find("#permalink").href = `/predictions/${answer.prediction_id}`;
  find("#use-result").onclick = () => take(after, `${file.name.replace(/(-filled)?\.\w+$/, "")}-filled.png`);
}

function choose(name) {
  tool = name;
  for (const button of findAll("[data-tool]")) button.setAttribute("aria-pressed", String(button.dataset.tool === name));
  painter.paint();
}

function showSize() {
  find("#brush-size").nextElementSibling.textContent = `${diameter()} px`;
  painter.paint();
}

function resize(by) {
  find("#brush-size").value = Math.max(2, Math.round(diameter() * by));
  showSize();
}

/** The keyboard paints too: arrows move the brush by half its size, Enter puts it down. */
function move(x, y) {
  if (!mask) return;
  const at = painter.ring ?? { x: mask.width / 2, y: mask.height / 2 };
  const by = Math.max(1, diameter() / 2);
  painter.ring = { x: Math.min(mask.width, Math.max(0, at.x + x * by)), y: Math.min(mask.height, Math.max(0, at.y + y * by)) };
  painter.paint();
}

for (const button of findAll("[data-tool]")) button.addEventListener("click", () => choose(button.dataset.tool));
const zooms = { fit: () => painter.fit(), in: () => painter.zoomBy(1.5), out: () => painter.zoomBy(1 / 1.5) };
for (const button of findAll("[data-zoom]")) button.addEventListener("click", zooms[button.dataset.zoom]);
const undo = () => mask && (mask.undo(), changed());
const redo = () => mask && (mask.redo(), changed());
find("#undo").addEventListener("click", undo);
find("#redo").addEventListener("click", redo);
find("#invert").addEventListener("click", () => step(() => mask.invert()));
find("#clear").addEventListener("click", () => step(() => mask.clear()));
find("#run").addEventListener("click", run);
find("#brush-size").addEventListener("input", showSize);
find("#radius").addEventListener("input", (event) => (event.target.nextElementSibling.textContent = `${event.target.value} px`));
find("#choose").addEventListener("change", ({ target }) => {
  if (target.files[0]) take(target.files[0], target.files[0].name, { keepMask: true });
  target.value = "";
});
find("#choose-mask").addEventListener("change", ({ target }) => {
  if (target.files[0]) takeMask(target.files[0]).catch(complain);
  target.value = "";
});
find("#download-mask").addEventListener("click", async () => mask && save(`${file.name.replace(/\.\w+$/, "")}-mask.png`, await mask.png()));
find("#same-mask").addEventListener("click", async () => {
  const last = await kept("last mask");
  if (last) await takeMask(last);
  else toast(t("No mask was used before."));
});
document.addEventListener("paste", (event) => {
  const pasted = [...(event.clipboardData?.files ?? [])].find((one) => one.type.startsWith("image/"));
  if (pasted) take(pasted, pasted.name, { keepMask: true });
});
for (const kind of ["dragover", "drop"]) {
  document.addEventListener(kind, (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    const [dropped] = event.dataTransfer.files;
    if (kind === "drop" && dropped) take(dropped, dropped.name, { keepMask: true });
  });
}
for (const [kind, down] of [["keydown", true], ["keyup", false]]) {
  find("#stage").addEventListener(kind, (event) => {
    if (event.code !== "Space") return;
    event.preventDefault();
    painter.space = down;
  });
}
onKey("KeyB", t("Brush"), () => choose("brush"));
onKey("KeyE", t("Eraser"), () => choose("eraser"));
onKey("KeyX", t("Brush or eraser"), () => choose(tool === "eraser" ? "brush" : "eraser"));
onKey("KeyR", t("Rectangle"), () => choose("rectangle"));
onKey("KeyF", t("Fill"), () => choose("fill"));
onKey("BracketLeft", t("Smaller"), () => resize(1 / 1.25), { key: "[" });
onKey("BracketRight", t("Larger"), () => resize(1.25), { key: "]" });
onKey("KeyZ", t("Undo"), undo, { ctrl: true });
onKey("KeyZ", t("Redo"), redo, { ctrl: true, shift: true });
for (const [code, x, y] of [["ArrowLeft", -1, 0], ["ArrowRight", 1, 0], ["ArrowUp", 0, -1], ["ArrowDown", 0, 1]]) {
  find("#stage").addEventListener("keydown", (event) => {
    if (event.code !== code) return;
    event.preventDefault();
    move(x, y);
  });
}
find("#stage").addEventListener("keydown", (event) => {
  if (event.code !== "Enter" || !mask) return;
  event.preventDefault();
  const at = painter.ring ?? { x: mask.width / 2, y: mask.height / 2 };
  step(() => (tool === "fill" ? mask.fill(at) : mask.line(at, at, diameter(), { erase: tool === "eraser" })));
});
onKey("Enter", t("Paint where the brush is"), () => {}, { key: "Enter" });

const showPrice = () => (find("#price").textContent = model.selectedOptions[0] ? t("{amount} credits", { amount: model.selectedOptions[0].dataset.price }) : "");
model.addEventListener("change", showPrice);
showPrice();
changed();
const before = await kept("painting").catch(() => null);
if (before) {
  await take(before.file, before.name);
  await takeMask(before.mask);
  mask.done = [];
  changed();
}
