// A stage: one canvas that shows a picture at any zoom. What is drawn over it is the business of whoever extends it.
const MOST_ZOOM = 32;

export class Stage {
  constructor(stage, canvas) {
    this.stage = stage;
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.picture = null;
    this.size = { width: 0, height: 0 };
    this.zoom = 1; // 1 fits
    this.middle = { x: 0.5, y: 0.5 }; // what part of the picture is in the stage's middle
    this.fingers = new Map();
    new ResizeObserver(() => this.paint()).observe(stage);
    this.#listen();
  }

  /** `bitmap` may be smaller than the picture it stands for. */
  show(bitmap, width = bitmap.width, height = bitmap.height) {
    this.picture = bitmap;
    this.size = { width, height };
    this.stage.style.setProperty("aspect-ratio", `${width} / ${height}`);
    this.fit();
  }

  fit() {
    this.zoom = 1;
    this.middle = { x: 0.5, y: 0.5 };
    this.paint();
  }

  zoomBy(factor, at = null) {
    const before = at && this.onPicture(at);
    this.zoom = Math.min(MOST_ZOOM, Math.max(1, this.zoom * factor));
    if (before) {
      const after = this.onPicture(at);
      this.middle.x += (before.x - after.x) / this.size.width;
      this.middle.y += (before.y - after.y) / this.size.height;
    }
    this.stage.classList.toggle("zoomed", this.zoom > 1);
    this.paint();
  }

  oneToOne() {
    this.zoom = Math.max(1, 1 / (this.#fitScale() * devicePixelRatio));
    this.zoomBy(1);
  }

  panBy(x, y) {
    const { scale } = this.place();
    this.middle.x -= x / scale / this.size.width;
    this.middle.y -= y / scale / this.size.height;
    this.paint();
  }

  paint() {
    this.pending ??= requestAnimationFrame(() => {
      this.pending = null;
      this.#draw();
    });
  }

  /** Where the picture's corner is on the stage, and how many CSS pixels one of its pixels takes. */
  place() {
    const scale = this.#fitScale() * this.zoom;
    const { clientWidth, clientHeight } = this.stage;
    const along = (middle, stage, picture) => {
      const half = Math.min(0.5, stage / 2 / picture);
      return stage / 2 - Math.min(1 - half, Math.max(half, middle)) * picture;
    };
    return {
      scale,
      left: along(this.middle.x, clientWidth, this.size.width * scale),
      top: along(this.middle.y, clientHeight, this.size.height * scale),
    };
  }

  onPicture({ x, y }) {
    const { scale, left, top } = this.place();
    return { x: (x - left) / scale, y: (y - top) / scale };
  }

  at(event) {
    const bounds = this.stage.getBoundingClientRect();
    return { x: event.clientX - bounds.left, y: event.clientY - bounds.top };
  }

  // For whoever extends it.
  drawOver() {}
  hover() {}
  leave() {}
  /** Whether this press moves the picture; else `press`, `drag` and `release` are told. */
  pans() {
    return this.zoom > 1;
  }
  press() {}
  drag() {}
  release() {}

  #fitScale() {
    const { clientWidth, clientHeight } = this.stage;
    return Math.min(clientWidth / this.size.width, clientHeight / this.size.height) || 1;
  }

  #draw() {
    const { clientWidth: width, clientHeight: height } = this.stage;
    const ratio = devicePixelRatio;
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(height * ratio);
    if (!this.picture) return;
    const place = this.place();
    const { scale, left, top } = place;
    this.context.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.context.imageSmoothingEnabled = scale < 3;
    this.context.drawImage(this.picture, left, top, this.size.width * scale, this.size.height * scale);
    this.drawOver(this.context, place, { width, height });
  }

  #listen() {
    this.stage.addEventListener(
      "wheel",
      (event) => {
        if (!this.picture || !(event.ctrlKey || this.zoom > 1)) return; // else the page scrolls
        event.preventDefault();
        this.zoomBy(Math.exp(-event.deltaY / (event.ctrlKey ? 120 : 400)), this.at(event));
      },
      { passive: false },
    );
    this.stage.addEventListener("pointerdown", (event) => {
      if (!this.picture || event.button > 1) return;
      this.fingers.set(event.pointerId, this.at(event));
      this.mode = this.fingers.size > 1 ? "pinch" : this.pans(event) || event.button === 1 ? "pan" : "draw";
      if (this.mode !== "draw") this.release(null);
      else this.press(event);
      if (this.mode === "draw" || this.zoom > 1 || this.fingers.size > 1) this.stage.setPointerCapture(event.pointerId);
    });
    this.stage.addEventListener("pointermove", (event) => {
      if (!this.picture) return;
      const now = this.at(event);
      const before = this.fingers.get(event.pointerId);
      if (!before) {
        this.hover(now, event);
        return;
      }
      if (this.mode === "pinch") this.#pinch(event, before, now);
      else if (this.mode === "pan") this.panBy(now.x - before.x, now.y - before.y);
      else this.drag(event);
      this.fingers.set(event.pointerId, now);
    });
    for (const kind of ["pointerup", "pointercancel"]) {
      this.stage.addEventListener(kind, (event) => {
        if (this.fingers.delete(event.pointerId) && this.mode === "draw") this.release(event);
      });
    }
    this.stage.addEventListener("pointerleave", () => this.leave());
  }

  /** Two fingers: apart is zoom, together is pan. */
  #pinch(event, before, now) {
    const other = [...this.fingers].find(([id]) => id !== event.pointerId)?.[1];
    if (!other) return;
    const apart = (one) => Math.hypot(one.x - other.x, one.y - other.y) || 1;
    this.zoomBy(apart(now) / apart(before), other);
    this.panBy((now.x - before.x) / 2, (now.y - before.y) / 2);
  }
}

/** The bitmap of a file, or of one of our pictures; TIFF and other files that browsers cannot show come from the server, shrunk. */
export async function bitmapOf(image_id, url) {
  try {
    const bitmap = await createImageBitmap(await (await fetch(url)).blob());
    return { bitmap, width: bitmap.width, height: bitmap.height };
  } catch {
    return shrunkBitmapOf(image_id);
  }
}

export async function shrunkBitmapOf(image_id) {
  const facts = await (await fetch(`/api/v1/images/${image_id}`)).json();
  const bitmap = await createImageBitmap(await (await fetch(`/thumbs/${image_id}?large=true`)).blob());
  return { bitmap, width: facts.width, height: facts.height };
}
