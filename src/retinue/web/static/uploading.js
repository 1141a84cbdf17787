// Files on their way into a dataset: four at a time, large ones in pieces that go on where they were cut, each with its
// mask, and every one with its own state.
import { call, onceKey, post } from "./api.js";
import { find, h, icon } from "./dom.js";
import { number, size, t } from "./words.js";

const AT_ONCE = 4;
const IN_ONE_BYTES = 4 << 20; // larger ones go in pieces
const PIECE_BYTES = 2 << 20;
const TRIES = 5;
const REJECTED = new Set([413, 415, 422]); // sending it again would not help
const PICTURES = /\.(png|jpe?g|webp|bmp|tiff?|gif)$/i;
const VIDEOS = /\.(mp4|avi|mov|mkv|webm)$/i;
const ARCHIVES = /\.zip$/i;

const isMask = (file) => /mask/i.test(file.name);
const stem = (file) =>
  file.name
    .toLowerCase()
    .replace(/\.\w+$/, "")
    .replace(/mask|image|img|picture|video/g, "")
    .replace(/[^\p{L}\p{N}]+/gu, "");

/** Pictures and videos with their masks, by what is left of the name; what cannot be taken is told with its reason. */
export function paired(files) {
  const known = files.filter((file) => PICTURES.test(file.name) || VIDEOS.test(file.name) || ARCHIVES.test(file.name));
  const refused = files.filter((file) => !known.includes(file)).map((file) => [file.name, t("not a picture, video or ZIP")]);
  const originals = known.filter((file) => !isMask(file) || ARCHIVES.test(file.name));
  const masks = new Map(known.filter((file) => !originals.includes(file)).map((file) => [placeOf(file) + stem(file), file]));
  const sent = originals.map((file) => {
    const key = placeOf(file) + stem(file);
    const mask = ARCHIVES.test(file.name) ? undefined : masks.get(key);
    if (mask) masks.delete(key);
    return { file, mask };
  });
  for (const mask of masks.values()) refused.push([mask.name, t("a mask without its picture")]);
  return { sent, refused };
}

/** A chosen folder is the dataset; the folders in it are its groups. */
const groupOf = (file) => placeOf(file).split("/").slice(1, -1).join("/");
const placeOf = (file) => (file.webkitRelativePath || "").replace(/[^/]*$/, "");

export class Uploading {
  constructor(dataset, { report }) {
    this.dataset = dataset;
    this.report = report;
    this.all = [];
    this.running = 0;
    this.paused = false;
    find("#pause").addEventListener("click", () => this.#pause(!this.paused));
    find("#retry-failed").addEventListener("click", () => this.#retry());
    addEventListener("beforeunload", (event) => this.all.some((one) => one.state === "waiting" || one.state === "running") && event.preventDefault());
  }

  add(files) {
    const { sent, refused } = paired([...files]);
    this.report({ accepted: [], skipped: [], duplicates: [], rejected: refused.map(([name, reason]) => ({ name, reason })) }, 0);
    for (const one of sent) this.all.push(this.#row({ ...one, state: "waiting", key: onceKey() }));
    find("#uploading").hidden = this.all.length === 0;
    this.#go();
  }

  #row(one) {
    one.told = h("span", {}, size(one.file.size));
    one.bar = h("progress", { class: "progress", max: 100, value: 0, "aria-label": one.file.name });
    const name = one.mask ? `${one.file.name} + ${one.mask.name}` : one.file.name;
    one.row = h("div", { class: "upload-row" }, h("span", { class: "name", title: name }, name), one.told, one.bar);
    find("#upload-rows").append(one.row);
    return one;
  }

  #pause(paused) {
    this.paused = paused;
    find("#pause").setAttribute("aria-pressed", String(paused));
    this.#go();
  }

  #retry() {
    for (const one of this.all) {
      if (one.state !== "failed") continue;
      one.state = "waiting";
      one.bar.classList.remove("bad");
    }
    this.#go();
  }

  #go() {
    this.#count();
    while (!this.paused && this.running < AT_ONCE) {
      const next = this.all.find((one) => one.state === "waiting");
      if (!next) return;
      this.running += 1;
      next.state = "running";
      this.#send(next).finally(() => {
        this.running -= 1;
        this.#go();
      });
    }
  }

  #count() {
    const done = this.all.filter((one) => one.state === "done").length;
    const failed = this.all.filter((one) => one.state === "failed").length;
    find("#upload-count").textContent = t("{done} of {all} files", { done: number(done), all: number(this.all.length) });
    const retry = find("#retry-failed");
    retry.hidden = failed === 0;
    find("span", retry).textContent = t("Retry what failed: {count}", { count: failed });
    for (const one of this.all.filter((each) => each.state === "done").slice(0, -5)) one.row.remove(); // the list stays short
  }

  async #send(one) {
    try {
      const path = `/api/v1/datasets/${this.dataset}/items`;
      const headers = { "Idempotency-Key": one.key };
      const whole = one.file.size <= IN_ONE_BYTES && (one.mask?.size ?? 0) <= IN_ONE_BYTES;
      const answer = whole ? await this.#inOne(one, path, headers) : await this.#inPieces(one, path, headers);
      one.state = "done";
      one.bar.value = 100;
      one.told.textContent = t("done");
      this.report(answer.report, answer.credits_used);
    } catch (refused) {
      if (REJECTED.has(refused.status)) {
        one.state = "done";
        one.bar.classList.add("bad");
        one.told.replaceChildren(h("span", { class: "bad-text row tight" }, icon("failed"), t("rejected")));
        this.report({ accepted: [], skipped: [], duplicates: [], rejected: [{ name: one.file.name, reason: refused.message }] }, 0);
        return;
      }
      one.state = "failed";
      one.bar.classList.add("bad");
      one.told.replaceChildren(h("span", { class: "bad-text row tight" }, icon("failed"), refused.message));
      if (refused.status === 402) this.#pause(true); // the others would be refused for the same reason
    }
  }

  async #inOne(one, path, headers) {
    const form = new FormData();
    form.set("file", one.file, one.file.name);
    if (groupOf(one.file)) form.set("group", groupOf(one.file));
    if (one.mask) form.set("mask", one.mask, one.mask.name);
    return again(() => call("POST", path, { form, headers }));
  }

  async #inPieces(one, path, headers) {
    const all = one.file.size + (one.mask?.size ?? 0);
    const tell = (sent) => {
      one.bar.value = (95 * sent) / all;
      one.told.textContent = `${Math.round((100 * sent) / all)} %`;
    };
    const upload_id = await inPieces(one.file, tell, () => this.#unpaused());
    const mask_upload_id = one.mask && (await inPieces(one.mask, (sent) => tell(one.file.size + sent), () => this.#unpaused()));
    one.told.textContent = t("being looked at");
    const answer = await again(() => post(path, { upload_id, group: groupOf(one.file), ...(mask_upload_id ? { mask_upload_id } : {}) }, { headers }));
    forget(one.file);
    if (one.mask) forget(one.mask);
    return answer;
  }

  #unpaused() {
    return new Promise((go) => {
      const look = () => (this.paused ? setTimeout(look, 300) : go());
      look();
    });
  }
}

/** A file's upload, taken up again where it was cut: by a lost connection, or by a reload in between. */
async function inPieces(file, tell, ready) {
  let upload_id = kept(file);
  let offset = upload_id ? await offsetOf(upload_id) : null;
  if (offset === null) {
    ({ upload_id, offset } = await again(() => post("/api/v1/uploads", { filename: file.name, size: file.size })));
    keep(file, upload_id);
  }
  for (let tries = 0; offset < file.size; ) {
    await ready();
    try {
      const piece = file.slice(offset, offset + PIECE_BYTES);
      const headers = { "Upload-Offset": String(offset), "Content-Type": "application/octet-stream" };
      ({ offset } = await call("PATCH", `/api/v1/uploads/${upload_id}`, { body: piece, headers }));
      tries = 0;
    } catch (lost) {
      if ((tries += 1) > TRIES || (lost.status !== 0 && lost.status !== 409 && lost.status < 500)) throw lost;
      await new Promise((wait) => setTimeout(wait, 1000 * tries));
      offset = (await offsetOf(upload_id)) ?? offset;
    }
    tell(offset);
  }
  await again(() => post(`/api/v1/uploads/${upload_id}/complete`));
  return upload_id;
}

async function offsetOf(upload_id) {
  const answer = await fetch(`/api/v1/uploads/${upload_id}`, { method: "HEAD" }).catch(() => null);
  return answer?.ok ? Number(answer.headers.get("Upload-Offset")) : null;
}

/** What was lost on the way, or came at a bad moment, is asked again; what was refused is not. */
async function again(ask) {
  for (let tries = 1; ; tries++) {
    try {
      return await ask();
    } catch (refused) {
      if (tries >= TRIES || ![0, 409, 429, 503].includes(refused.status)) throw refused;
      await new Promise((wait) => setTimeout(wait, 500 * 2 ** tries));
    }
  }
}

const nameOf = (file) => `upload:${file.name}:${file.size}:${file.lastModified}`;
const kept = (file) => localStorage.getItem(nameOf(file));
const keep = (file, upload_id) => localStorage.setItem(nameOf(file), upload_id);
const forget = (file) => localStorage.removeItem(nameOf(file));
