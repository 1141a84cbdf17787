// The camera, live, under the outline of how the kit should lie: two pictures that are taken alike can be compared.
import { h, svg } from "./dom.js";
import { outlineOf } from "./outline.js";
import { t } from "./words.js";

const WANTED = { audio: false, video: { facingMode: "environment", width: { ideal: 1920 }, height: { ideal: 1440 } } };
const QUALITY = 0.92;

/** Browsers lend the camera over TLS and to this machine alone. */
export const canLook = () => Boolean(navigator.mediaDevices?.getUserMedia);

export class LiveCamera {
  /** `guide`: the address of a picture whose outline is drawn, or null for a plain frame. `lost`: told when it is taken away. */
  constructor(stage, { guide, lost }) {
    Object.assign(this, { stage, guide, lost, view: null, wanted: false });
    this.outline = null; // made once, at the first look
  }

  get isOpen() {
    return this.view !== null;
  }

  /** Rejects where a person or the browser says no, or there is none. */
  async open() {
    if (this.wanted) return;
    this.wanted = true;
    const stream = await navigator.mediaDevices.getUserMedia(WANTED);
    const video = h("video", { playsinline: true, "aria-label": t("The camera, live") });
    video.muted = true;
    video.srcObject = stream;
    this.video = video;
    for (const track of stream.getTracks()) track.addEventListener("ended", () => this.close() && this.lost());
    if (!this.wanted) {
      this.#stop();
      return;
    }
    await video.play();
    this.view = h("div", { class: "picture live" }, video);
    this.stage.prepend(this.view);
    this.outline ??= await this.#outline();
    this.view?.append(this.outline);
  }

  /** What it sees now, as a file like any other. */
  async shoot() {
    const { videoWidth: width, videoHeight: height } = this.video;
    const canvas = h("canvas", { width, height });
    canvas.getContext("2d").drawImage(this.video, 0, 0, width, height);
    const blob = await new Promise((done) => canvas.toBlob(done, "image/jpeg", QUALITY));
    return new File([blob], "camera.jpg", { type: "image/jpeg" });
  }

  showOutline(shown) {
    this.stage.classList.toggle("no-outline", !shown);
  }

  /** Whether it was open. */
  close() {
    const wasOpen = this.isOpen;
    this.wanted = false;
    this.#stop();
    this.view?.remove();
    this.view = null;
    return wasOpen;
  }

  #stop() {
    for (const track of this.video?.srcObject?.getTracks() ?? []) track.stop();
  }

  async #outline() {
    const made = this.guide ? await outlineOf(this.guide).catch(() => null) : null;
    const shown = made ?? frame();
    shown.setAttribute("aria-hidden", "true");
    shown.classList.add("outline");
    return shown;
  }
}

/** Without a picture to go by: a frame to fill, alike each time. */
function frame() {
  const place = { x: "6%", y: "6%", width: "88%", height: "88%" };
  return svg("svg", { class: "overlay" }, svg("g", { class: "box c4" }, svg("rect", { class: "case", ...place }), svg("rect", { class: "edge", ...place })));
}
