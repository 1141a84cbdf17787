// One kit at the station: a picture or a check by hand fills in the list, a person puts it right and signs.
import { call, onceKey } from "./api.js";
import { Checklist } from "./checklist.js";
import { find, findAll, icon, told } from "./dom.js";
import { keep, kept } from "./keeping.js";
import { canLook, LiveCamera } from "./live.js";
import "./station.js";
import { Tray } from "./tray.js";
import { t } from "./words.js";

const { kit, way, by, guide } = told("station");
const SHIFT_MS = 8 * 3600 * 1000; // a check left lying longer is begun anew
const slot = `check ${by} ${kit.id} ${way}`;
const tray = new Tray(find("#tray"));
const camera = new LiveCamera(find("#tray"), { guide, lost: () => showLive(false) });
const list = new Checklist(find("#list"), kit.items, refresh);
const form = find("#sign");
const confirm = find("#confirm");
const confirmWords = find("[data-words]", confirm);
const reason = find("#reason");
const belonging = find("#counts").textContent;
let picture = null; // the file that the list stands for
let seen = null; // what the model said of it
let step = "picture";
let looking = null;
let said = { words: "", key: "" };

function goTo(name) {
  step = name;
  for (const one of findAll("[data-step]")) one.toggleAttribute("aria-current", one.dataset.step === name);
  for (const one of findAll("[data-step][aria-current]")) one.setAttribute("aria-current", "step");
  form.hidden = name !== "check";
  find("#take").classList.toggle("primary", name === "picture");
  find("#take span").textContent = picture ? t("Take again") : t("Take a picture");
}

function complain(words) {
  find("#refusal").hidden = !words;
  find("#refusal p").textContent = words;
}

async function look(file) {
  closeCamera();
  looking?.abort();
  const mine = (looking = new AbortController());
  complain("");
  find("#verdict").hidden = true;
  try {
    await tray.show(file, t("The kit now"));
  } catch {
    tray.clear();
    complain(t("This file is no picture that can be shown."));
    return;
  }
  if (!kit.model) {
    picture = file;
    if (step !== "check") byHand();
    else goTo("check");
    return;
  }
  find("#looking").hidden = false;
  confirm.disabled = true;
  try {
    const body = new FormData();
    body.set("picture", file, file.name);
    const answer = await call("POST", `/api/v1/toolkits/${kit.id}/check`, { form: body, signal: mine.signal });
    picture = file;
    seen = answer;
    goTo("check");
    list.fillIn(answer);
    tray.draw(list, find("#counts").textContent);
    list.goOn();
  } catch (refused) {
    if (mine !== looking || refused.name === "AbortError") return;
    reset();
    complain(`${refused.message}. ${t("Take another picture, or check the kit by hand.")}`);
    find("#by-hand").focus();
  } finally {
    if (mine === looking) find("#looking").hidden = true;
  }
}

function showLive(open) {
  find("#live-tools").hidden = !open;
  find("#live").setAttribute("aria-pressed", String(open));
  find("#take").classList.toggle("primary", !open && step === "picture");
  find("#no-picture").hidden = open || Boolean(tray.picture);
}

async function openCamera() {
  complain("");
  try {
    await camera.open();
  } catch (refused) {
    camera.close();
    complain(t("The camera cannot be used here: {reason}. Take a picture, or choose a file.", { reason: refused.message || refused.name }));
    return;
  }
  if (!camera.isOpen) return;
  looking?.abort();
  showLive(true);
  find("#shoot").focus();
}

function closeCamera() {
  if (camera.close()) showLive(false);
}

async function shoot() {
  const file = await camera.shoot();
  await look(file);
}

function showOutline(shown) {
  camera.showOutline(shown);
  find("#outline").setAttribute("aria-pressed", String(shown));
  localStorage.setItem("crib-outline", shown ? "on" : "off");
}

/** Without a model's word. Where a model checks this kit no picture is sent, for the model would be asked again. */
function byHand() {
  closeCamera();
  looking?.abort();
  find("#looking").hidden = true;
  complain("");
  seen = null;
  if (kit.model) {
    picture = null;
    tray.clear();
  }
  goTo("check");
  list.byHand();
  list.lines[0]?.focus();
}

function reset() {
  closeCamera();
  looking?.abort();
  picture = seen = null;
  tray.clear();
  goTo("picture");
  remember(null);
  list.clear();
  find("#counts").textContent = belonging;
  for (const gone of ["#verdict", "#all-here"]) find(gone).hidden = true;
  find("#looking").hidden = true;
}

function refresh() {
  if (step !== "check") return;
  const { open } = list;
  const counts = list.counts();
  find("#counts").textContent = wordsFor(counts);
  find("#all-here").hidden = open === 0;
  const short = list.isShort;
  find("#why").hidden = !short;
  reason.required = find("#signed_by").required = short;
  confirm.disabled = open > 0;
  confirm.classList.toggle("primary", !short);
  confirm.classList.toggle("danger", short);
  find("kbd", confirm).hidden = short;
  confirmWords.textContent = short ? t("Sign as incomplete") : confirmWords.dataset.words;
  find("#keep-looking").hidden = !short;
  find("#refuse").hidden = open > 0;
  showVerdict(short, open);
  rememberAll();
}

const fields = () => [...form.elements].filter((one) => one.name && one.tagName === "INPUT");

/** What a reload must not lose. Told where this browser keeps nothing, because then one should not reload. */
function remember(check) {
  return keep(slot, check).catch(() => complain(t("This browser keeps nothing: a reload would lose this check.")));
}

function rememberAll() {
  const said = Object.fromEntries(fields().map((one) => [one.name, one.value]));
  if (step === "check") remember({ at: Date.now(), items: JSON.stringify(kit.items), picture, seen, found: list.found, said });
}

async function goOnWith(check) {
  if (check.picture) await tray.show(check.picture, t("The kit now"));
  ({ picture, seen } = check);
  for (const one of fields()) one.value = check.said[one.name] ?? one.value;
  goTo("check");
  if (seen) list.fillIn(seen);
  else list.byHand();
  list.putBack(check.found);
  if (seen) tray.draw(list, find("#counts").textContent);
}

function wordsFor(counts) {
  const words = [
    [counts.missing, t("{count} missing", { count: counts.missing })],
    [counts.unsure, t("{count} unsure", { count: counts.unsure })],
    [counts.extra, t("{count} extra", { count: counts.extra })],
    [counts.open, t("{count} to look for", { count: counts.open })],
    [true, t("{count} present", { count: counts.present })],
  ];
  return words.filter(([count]) => count).map(([, text]) => text).join(", ");
}

/** Missing stops everything: in red, with a sign, with names. */
function showVerdict(short, open) {
  const bar = find("#verdict");
  bar.hidden = open > 0;
  bar.classList.toggle("ok", !short);
  const head = document.createElement("h1");
  const more = document.createElement("p");
  if (short) {
    head.textContent = list.missing === 1 ? t("Stop: 1 tool is missing") : t("Stop: {count} tools are missing", { count: list.missing });
    more.textContent = t("{names}. Look for it before anything else leaves the bench.", { names: list.missingNames.join(", ") });
  } else {
    head.textContent = t("Complete");
    more.textContent = list.extra.length ? t("Something lies there that is not part of this kit: put it where it belongs.") : t("Every tool is here.");
  }
  const words = document.createElement("div");
  words.append(head, more);
  bar.replaceChildren(icon(short ? "alert" : "check"), words);
}

async function sign(refuses) {
  if (refuses && !reason.value.trim()) {
    find("#why").hidden = false;
    reason.focus();
    complain(t("Say why the kit is refused."));
    return;
  }
  complain("");
  const body = new FormData();
  for (const field of fields()) if (field.value.trim() && !field.closest("[hidden]")) body.set(field.name, field.value.trim());
  body.set("corrections", JSON.stringify(list.corrections()));
  if (refuses) body.set("refused", "true");
  const words = JSON.stringify([...body, picture?.name, picture?.size, picture?.lastModified]);
  // A press that got no answer is asked again under its key, so that the kit changes hands once.
  if (words !== said.words) said = { words, key: onceKey() };
  if (picture) body.set("picture", picture, picture.name);
  for (const button of [confirm, find("#refuse")]) button.disabled = true;
  try {
    const loan = await call("POST", `/api/v1/toolkits/${kit.id}/${way}`, { form: body, headers: { "Idempotency-Key": said.key } });
    await remember(null);
    localStorage.setItem("crib-place", find("#place").value.trim());
    location.assign(`/crib/receipts/${loan.id}`);
  } catch (refused) {
    complain(refused.message);
    for (const button of [confirm, find("#refuse")]) button.disabled = false;
  }
}

for (const input of [find("#camera"), find("#file")]) {
  input.addEventListener("change", () => {
    if (input.files[0]) look(input.files[0]);
    input.value = "";
  });
}
find("#live").hidden = !canLook();
find("#live").addEventListener("click", openCamera);
find("#shoot").addEventListener("click", shoot);
find("#close-live").addEventListener("click", () => {
  closeCamera();
  find("#live").focus();
});
find("#outline").addEventListener("click", () => showOutline(find("#outline").getAttribute("aria-pressed") !== "true"));
showOutline(localStorage.getItem("crib-outline") !== "off");
addEventListener("pagehide", closeCamera);
find("#by-hand").addEventListener("click", byHand);
find("#all-here").addEventListener("click", () => {
  list.allHere();
  list.goOn();
});
find("#keep-looking").addEventListener("click", () => {
  find("#verdict").scrollIntoView({ block: "start" });
  find("#camera").focus();
});
form.addEventListener("submit", (event) => {
  event.preventDefault();
  sign(false);
});
form.addEventListener("change", rememberAll);
find("#refuse").addEventListener("click", () => sign(true));
document.addEventListener("step-back", (event) => {
  if (camera.isOpen) {
    event.preventDefault();
    closeCamera();
    find("#live").focus();
    return;
  }
  if (step === "picture") return;
  event.preventDefault();
  reset();
  find("#camera").focus();
});
document.addEventListener("step-on", (event) => {
  if (step === "check" && !list.isShort) return;
  event.preventDefault();
  if (camera.isOpen) shoot();
  else if (step === "picture") find("#camera").click();
  else find("#keep-looking").click();
});
find("#place").value = localStorage.getItem("crib-place") ?? "";

const before = await kept(slot).catch(() => null);
if (before && step === "picture" && before.items === JSON.stringify(kit.items) && Date.now() - before.at < SHIFT_MS) await goOnWith(before);
