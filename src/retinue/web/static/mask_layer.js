// The mask: one layer at the picture's own size, painted in the picture's own pixels, whatever the zoom; each stroke is
// one step back and forth.
const MOST_STEPS = 60;
const PAINTED = 128; // a pixel that a brush's edge covers half belongs to the mask

export class MaskLayer {
  constructor(width, height) {
    this.width = width;
    this.height = height;
    this.canvas = new OffscreenCanvas(width, height);
    this.context = this.canvas.getContext("2d", { willReadFrequently: true });
    this.done = [];
    this.undone = [];
    this.before = null;
  }

  /** What happens until `end` is one step. */
  begin() {
    this.before = this.context.getImageData(0, 0, this.width, this.height);
    this.dirty = { left: this.width, top: this.height, right: 0, bottom: 0 };
  }

  end() {
    if (!this.before) return;
    const left = Math.max(0, Math.floor(this.dirty.left));
    const top = Math.max(0, Math.floor(this.dirty.top));
    const width = Math.min(this.width, Math.ceil(this.dirty.right)) - left;
    const height = Math.min(this.height, Math.ceil(this.dirty.bottom)) - top;
    if (width > 0 && height > 0) {
      const old = new OffscreenCanvas(width, height).getContext("2d");
      old.putImageData(this.before, -left, -top);
      this.done.push({ left, top, before: old.getImageData(0, 0, width, height), after: this.context.getImageData(left, top, width, height) });
      if (this.done.length > MOST_STEPS) this.done.shift();
      this.undone = [];
    }
    this.before = null;
  }

  undo() {
    const step = this.done.pop();
    if (!step) return;
    this.context.putImageData(step.before, step.left, step.top);
    this.undone.push(step);
  }

  redo() {
    const step = this.undone.pop();
    if (!step) return;
    this.context.putImageData(step.after, step.left, step.top);
    this.done.push(step);
  }

  line(from, to, diameter, { erase = false } = {}) {
    const context = this.context;
    context.globalCompositeOperation = erase ? "destination-out" : "source-over";
    context.strokeStyle = "#fff";
    context.lineWidth = diameter;
    context.lineCap = "round";
    context.beginPath();
    context.moveTo(from.x, from.y);
    context.lineTo(to.x + 0.001, to.y);
    context.stroke();
    context.globalCompositeOperation = "source-over";
    const reach = diameter / 2 + 1;
    this.#touch(Math.min(from.x, to.x) - reach, Math.min(from.y, to.y) - reach, Math.max(from.x, to.x) + reach, Math.max(from.y, to.y) + reach);
  }

  rectangle(from, to) {
    const [left, right] = [Math.min(from.x, to.x), Math.max(from.x, to.x)].map(Math.round);
    const [top, bottom] = [Math.min(from.y, to.y), Math.max(from.y, to.y)].map(Math.round);
    this.context.fillStyle = "#fff";
    this.context.fillRect(left, top, right - left, bottom - top);
    this.#touch(left, top, right, bottom);
  }

  /** What is not painted yet around this point, up to what is. */
  fill({ x, y }) {
    const { width, height } = this;
    const pixels = this.context.getImageData(0, 0, width, height);
    const words = new Uint32Array(pixels.data.buffer);
    const open = (at) => words[at] >>> 24 < PAINTED;
    const start = Math.floor(y) * width + Math.floor(x);
    if (!open(start)) return;
    const waiting = [start];
    while (waiting.length) {
      let at = waiting.pop();
      const row = at - (at % width);
      while (at > row && open(at - 1)) at--;
      for (let above = false, below = false; at < row + width && open(at); at++) {
        words[at] = 0xffffffff;
        if (at >= width && open(at - width) !== above) (above = !above) && waiting.push(at - width);
        if (at < width * (height - 1) && open(at + width) !== below) (below = !below) && waiting.push(at + width);
      }
    }
    this.context.putImageData(pixels, 0, 0);
    this.#touchAll();
  }

  invert() {
    this.#each((alpha) => (alpha < PAINTED ? 0xffffffff : 0));
  }

  clear() {
    this.context.clearRect(0, 0, this.width, this.height);
    this.#touchAll();
  }

  /** A picture of the same size: bright is painted. */
  take(bitmap) {
    const other = new OffscreenCanvas(this.width, this.height).getContext("2d");
    other.drawImage(bitmap, 0, 0);
    const bright = new Uint32Array(other.getImageData(0, 0, this.width, this.height).data.buffer);
    this.#each((_, at) => {
      const [red, green, blue] = [bright[at] & 255, (bright[at] >> 8) & 255, (bright[at] >> 16) & 255];
      return red + green + blue >= 3 * PAINTED && bright[at] >>> 24 >= PAINTED ? 0xffffffff : 0;
    });
  }

  /** Share of the picture that is painted. */
  covered() {
    const words = new Uint32Array(this.context.getImageData(0, 0, this.width, this.height).data.buffer);
    let count = 0;
    for (let at = 0; at < words.length; at++) if (words[at] >>> 24 >= PAINTED) count++;
    return count / words.length;
  }

  /** Black and white, at the picture's own size. */
  async png() {
    const { width, height } = this;
    const pixels = this.context.getImageData(0, 0, width, height);
    const words = new Uint32Array(pixels.data.buffer);
    for (let at = 0; at < words.length; at++) words[at] = words[at] >>> 24 < PAINTED ? 0xff000000 : 0xffffffff;
    const out = new OffscreenCanvas(width, height);
    out.getContext("2d").putImageData(pixels, 0, 0);
    return out.convertToBlob({ type: "image/png" });
  }

  #each(value) {
    const pixels = this.context.getImageData(0, 0, this.width, this.height);
    const words = new Uint32Array(pixels.data.buffer);
    for (let at = 0; at < words.length; at++) words[at] = value(words[at] >>> 24, at);
    this.context.putImageData(pixels, 0, 0);
    this.#touchAll();
  }

  #touch(left, top, right, bottom) {
    if (!this.before) return;
    const dirty = this.dirty;
    this.dirty = { left: Math.min(dirty.left, left), top: Math.min(dirty.top, top), right: Math.max(dirty.right, right), bottom: Math.max(dirty.bottom, bottom) };
  }

  #touchAll() {
    this.#touch(0, 0, this.width, this.height);
  }
}
