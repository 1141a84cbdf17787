// A job, live: counts come as events and survive a reload and a restart of the server; results come in as they are made.
import { get } from "./api.js";
import { find, h, icon, told } from "./dom.js";
import "./forms.js";
import { complain, refreshFrame } from "./shell.js";
import { credits, duration, number, score, state, t } from "./words.js";

const ICONS = { PENDING: "pending", RUNNING: "running", COMPLETED: "check", FAILED: "failed", ABORTED: "stop" };
const MOST_SHOWN = 24;
const LOOK_MS = 1500;
const AGAIN_MS = 3000;
let job = told("job");
let cursor = null;
let allSeen = false;
let looking = null;
let announced = -1;
const base = `/api/v1/inferences/${job.inference_id}`;
const isOver = () => ["COMPLETED", "FAILED", "ABORTED"].includes(job.status);

function show() {
  const { status, aborting, done, failed, items, price, cost, error } = job;
  find("#status").replaceChildren(h("span", { class: "status", data: { status } }, icon(ICONS[status]), aborting && !isOver() ? t("STOPPING") : state(status)));
  find("#counted").textContent = t("{done} of {all} items", { done: number(done + failed), all: number(items) });
  find("#progress").value = done + failed;
  find("#split").replaceChildren(t("{count} done", { count: number(done) }), ", ", h("span", { class: failed ? "bad-text" : "" }, t("{count} failed", { count: number(failed) })), isOver() ? "" : [", ", t("{count} waiting", { count: number(items - done - failed) })].join(""));
  find("#abort").hidden = isOver() || aborting;
  find("#failed-card").hidden = failed === 0;
  find("#failed-count").textContent = number(failed);
  find("#error").hidden = !error;
  find("#error").textContent = error ?? "";
  find("#retry").hidden = !isOver() || failed === 0;
  find("#price").textContent = credits(price);
  find("#cost").textContent = credits(cost);
  find("#rest-words").textContent = isOver() ? t("Given back") : t("Still held");
  find("#rest").textContent = credits(price - cost);
  const quarter = Math.floor((4 * (done + failed)) / items);
  if (quarter !== announced && announced !== -1) find("#announce").textContent = isOver() ? t("The job has ended: {status}", { status: state(status) }) : t("{percent} % done", { percent: 25 * quarter });
  announced = quarter;
}

async function lookAtSpeed() {
  const { items_per_second, eta_seconds } = await get(`${base}/status`);
  find("#speed").textContent = items_per_second ? t("{rate} items per second", { rate: number(items_per_second, 1) }) : "";
  find("#left").textContent = eta_seconds ? t("about {time} left", { time: duration(eta_seconds) }) : "";
}

async function lookAtResults() {
  while (!allSeen) {
    const page = await get(`${base}/results?limit=100${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ""}`);
    find("#latest").prepend(...page.images.slice(-MOST_SHOWN).reverse().map(resultOf));
    while (find("#latest").children.length > MOST_SHOWN) find("#latest").lastElementChild.remove();
    find("#no-results").hidden = find("#latest").children.length > 0;
    find("#failed").append(...page.failed.map((one) => h("tr", {}, h("th", { scope: "row" }, one.original_path), h("td", {}, one.reason), h("td", {}, h("code", {}, one.code)))));
    const came = page.images.length + page.failed.length;
    if (page.next_cursor) cursor = page.next_cursor;
    else allSeen = true; // the job has ended, and this was its last page
    if (came < 100) return;
  }
}

function resultOf({ original_path, output_url, prediction }) {
  const words = prediction?.predicted_class ?? original_path;
  const picture = output_url ?? (prediction ? `/thumbs/${prediction.image_id}` : "");
  return h(
    prediction ? "a" : "span",
    { class: "thumb", href: prediction && `/predictions/${prediction.prediction_id}` },
    h("img", { src: picture, alt: "", width: 400, height: 300, loading: "lazy" }),
    h("span", { class: "cap" }, h("b", {}, words), h("span", {}, prediction?.confidence_score == null ? "" : score(prediction.confidence_score))),
  );
}

async function lookOnce() {
  try {
    job = { ...job, ...(await get(base)) };
    show();
    await lookAtResults();
    await lookAtSpeed();
    if (isOver()) await refreshFrame();
  } catch (lost) {
    if (lost.status !== 0) complain(lost); // the server's absence is told by the banner
  }
}

/** One look at a time, and again while the job goes on. */
async function look() {
  await (looking ??= lookOnce());
  looking = null;
  if (!isOver() || !allSeen) setTimeout(look, LOOK_MS);
}

function watch() {
  const events = new EventSource(`${base}/events`);
  const take = (event) => {
    const { done, failed, status, aborting } = JSON.parse(event.data);
    if (done + failed < job.done + job.failed) return; // the story is told from its beginning
    job = { ...job, done, failed, ...(status ? { status, aborting } : {}) };
    show();
    if (isOver()) events.close();
  };
  events.addEventListener("status", take);
  events.addEventListener("progress", take);
  events.onerror = () => {
    if (events.readyState !== EventSource.CLOSED || isOver()) return;
    setTimeout(watch, AGAIN_MS);
  };
}

find("#abort").addEventListener("done", (event) => {
  job = { ...job, ...event.detail };
  show();
});
show();
look();
if (!isOver()) watch();
