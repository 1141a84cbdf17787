// What was found, drawn over its picture in one pass: boxes, masks, and plates with number, class and score.
import { maskCanvas } from "./masks.js";
import { Stage } from "./stage.js";
import { score } from "./words.js";

// Okabe and Ito, as the server draws them; the same in both themes, for the picture does not change.
export const COLOURS = ["#e69f00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7", "#e8e8e8"];
const CASING = "rgb(10 12 14 / .72)";
const PLATE = "#14171a";
const MOST_PLATES = 300; // more of them would hide the picture, and each one's text has to be measured

export class Viewer extends Stage {
  constructor(stage, canvas) {
    super(stage, canvas);
    this.items = [];
    this.opacity = 0.9;
    this.hidden = false;
    this.hot = null;
    this.masks = new Map();
    this.onhover = () => {};
  }

  show(...picture) {
    this.masks?.clear();
    super.show(...picture);
  }

  setItems(items) {
    this.items = items;
    this.paint();
  }

  setHot(item) {
    if (item === this.hot) return;
    this.hot = item;
    this.paint();
  }

  drawOver(context, { scale, left, top }, { width, height }) {
    if (this.hidden) return;
    context.globalAlpha = this.opacity;
    const seen = this.items.filter(({ box }) => box && this.#isInSight(box, scale, left, top, width, height));
    for (const item of seen) if (item.rle) this.#drawMask(item, scale, left, top);
    context.lineJoin = "round";
    for (const item of seen) this.#drawBox(item, scale, left, top);
    const short = this.size.width * scale < 480;
    for (const item of seen.slice(0, MOST_PLATES).reverse()) this.#drawPlate(item, scale, left, top, width, short);
    if (this.hot?.box) this.#drawPlate(this.hot, scale, left, top, width, false);
    context.globalAlpha = 1;
  }

  /** The smallest box under the pointer: of two nested ones the inner is meant. */
  hover(place) {
    const { x, y } = this.onPicture(place);
    let best = null;
    for (const item of this.items) {
      if (!item.box) continue;
      const [left, top, w, h] = item.box;
      if (x < left || y < top || x > left + w || y > top + h) continue;
      if (!best || w * h < best.box[2] * best.box[3]) best = item;
    }
    if (best === this.hot) return;
    this.setHot(best);
    this.onhover(best);
  }

  leave() {
    this.setHot(null);
  }

  #isInSight([x, y, w, h], scale, left, top, width, height) {
    return left + x * scale < width && left + (x + w) * scale > 0 && top + y * scale < height && top + (y + h) * scale > 0;
  }

  #drawMask(item, scale, left, top) {
    if (!this.masks.has(item)) {
      const [red, green, blue] = [1, 3, 5].map((at) => parseInt(COLOURS[item.class_id % COLOURS.length].slice(at, at + 2), 16));
      const colour = ((0x73 << 24) | (blue << 16) | (green << 8) | red) >>> 0; // little-endian RGBA at 45 %
      this.masks.set(item, maskCanvas(item.rle, item.box, colour));
    }
    const { canvas, left: x, top: y } = this.masks.get(item);
    this.context.drawImage(canvas, left + x * scale, top + y * scale, canvas.width * scale, canvas.height * scale);
  }

  #drawBox(item, scale, left, top) {
    const context = this.context;
    const [x, y, w, h] = item.box;
    const rectangle = [left + x * scale, top + y * scale, w * scale, h * scale];
    const thin = this.items.length > MOST_PLATES || this.size.width * scale < 480;
    context.setLineDash([]);
    if (!thin || item === this.hot) {
      context.strokeStyle = CASING;
      context.lineWidth = thin ? 4 : 5;
      context.strokeRect(...rectangle);
    }
    context.strokeStyle = COLOURS[item.class_id % COLOURS.length];
    context.lineWidth = item === this.hot ? 4 : thin ? 2 : 2.5;
    if (item.unsure) context.setLineDash([7, 5]);
    context.strokeRect(...rectangle);
    if (item === this.hot) {
      context.fillStyle = "rgb(255 255 255 / .12)";
      context.fillRect(...rectangle);
    }
  }

  #drawPlate(item, scale, left, top, width, short) {
    const context = this.context;
    const words = short ? String(item.number) : `${item.number}  ${item.label} ${score(item.score)}`;
    context.setLineDash([]);
    context.font = `600 12px ${getComputedStyle(this.stage).fontFamily}`;
    const long = context.measureText(words).width + 18;
    const x = Math.max(0, Math.min(left + item.box[0] * scale - 1, width - long));
    const above = top + item.box[1] * scale - 21;
    const y = above >= 0 ? above : top + item.box[1] * scale + 1;
    context.fillStyle = PLATE;
    context.fillRect(x, y, long, 20);
    context.fillStyle = COLOURS[item.class_id % COLOURS.length];
    context.fillRect(x + 4, y + 5, 4, 10);
    context.fillStyle = "#ffffff";
    context.fillText(words, x + 12, y + 14.5);
  }
}
