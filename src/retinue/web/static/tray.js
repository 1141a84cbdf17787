// The picture of a kit with what was seen drawn over it: the numbers are those of the list.
import { find, h, svg } from "./dom.js";

const PLATE = { height: 20, digit: 8, edge: 17 };

export class Tray {
  constructor(stage) {
    this.stage = stage;
    this.address = null;
  }

  /** Resolves when it is drawn: only then its size is known. Rejects where the browser cannot read it. */
  async show(file, words) {
    this.clear();
    this.address = URL.createObjectURL(file);
    const picture = h("img", { src: this.address, alt: words });
    this.picture = h("div", { class: "picture" }, picture);
    await picture.decode();
    this.size = { width: picture.naturalWidth, height: picture.naturalHeight };
    find("#no-picture").hidden = true;
    this.stage.prepend(this.picture);
  }

  clear() {
    if (this.address) URL.revokeObjectURL(this.address);
    this.address = null;
    this.picture?.remove();
    this.picture = null;
    find("#no-picture").hidden = false;
  }

  draw(list, words) {
    const { picture } = this;
    find(".overlay", picture)?.remove();
    const boxes = [
      ...list.lines.flatMap((line) => line.boxes.map((one) => this.#box(one.box, line.number, "c3"))),
      ...list.lines.flatMap((line) => line.unsure.map((one) => this.#box(one.box, line.number, "c1 unsure"))),
      ...list.extra.map((one) => this.#box(one.box, "+", "c7")),
    ];
    picture.append(svg("svg", { class: "overlay", role: "img", "aria-label": words }, ...boxes));
  }

  #box([left, top, width, height], number, look) {
    const share = (value, all) => `${(100 * value) / all}%`;
    const place = {
      x: share(left, this.size.width),
      y: share(top, this.size.height),
      width: share(width, this.size.width),
      height: share(height, this.size.height),
    };
    const words = String(number);
    const plate = { x: 4, y: 4, width: PLATE.edge + PLATE.digit * words.length, height: PLATE.height };
    const label = svg("text", { x: 17, y: 18.5 });
    label.textContent = words;
    const chip = svg("rect", { class: "chip", x: 9, y: 9, width: 4, height: 10 });
    const corner = svg("svg", { x: place.x, y: place.y, overflow: "visible" }, svg("rect", { class: "plate", ...plate }), chip, label);
    return svg("g", { class: `box ${look}` }, svg("rect", { class: "case", ...place }), svg("rect", { class: "edge", ...place }), corner);
  }
}
