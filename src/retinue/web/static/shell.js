// What stands around every page: credits, running jobs, toasts, the theme, the shortcut sheet, and whether the server is there.
import { get } from "./api.js";
import { find, findAll, h, icon } from "./dom.js";
import { credits, moment, state, t } from "./words.js";

const LOOK_MS = 5000;
const shortcuts = [];

/** Keys are listed under `?`; single letters can be switched off, and nothing fires inside fields. */
export function onKey(code, words, act, { key = code.replace(/^Key|^Digit/, ""), shift = false, ctrl = false, always = false } = {}) {
  shortcuts.push({ code, words, act, key, shift, ctrl, always });
}

export function toast(words, { action, act, bad = false } = {}) {
  const close = () => made.remove();
  const made = h(
    "div",
    { class: "toast", role: bad ? "alert" : undefined },
    h("p", {}, words),
    action && h("button", { class: "button", onclick: () => (close(), act()) }, action),
    h("button", { class: "button square", "aria-label": t("Close"), onclick: close }, icon("cross")),
  );
  find("#toasts").append(made);
  setTimeout(close, action || bad ? 12_000 : 6000);
}

export const complain = (error) => {
  if (error.name !== "AbortError") toast(error.message, { bad: true });
};

export async function refreshCredits() {
  const has = await get("/api/v1/me/credits");
  find("[data-available]").textContent = credits(has.available);
  find("[data-held-amount]").textContent = credits(has.held);
  find("[data-held]").hidden = has.held === 0;
}

async function refreshTray() {
  const jobs = (await get("/api/v1/inferences?limit=20")).items;
  const running = jobs.filter((job) => job.status === "PENDING" || job.status === "RUNNING");
  const count = find("[data-running]");
  count.textContent = running.length;
  count.hidden = running.length === 0;
  const latest = running.length ? running : jobs.slice(0, 3);
  find("#tray").replaceChildren(
    h("h2", {}, running.length ? t("Running jobs") : t("No job is running")),
    ...latest.map((job) =>
      h(
        "a",
        { class: "tray-row", href: `/jobs/${job.inference_id}` },
        h("span", {}, h("b", {}, job.dataset), " ", t("with {model}", { model: job.model })),
        h("span", { class: "quiet" }, job.status === "RUNNING" ? `${job.progress} %` : state(job.status)),
        job.status === "RUNNING" && h("progress", { class: "progress", max: 100, value: job.progress, "aria-label": t("Progress") }),
      ),
    ),
    h("a", { class: "button wide", href: "/jobs" }, t("All jobs")),
  );
}

/** What stands around the page, after work has ended or begun. */
export const refreshFrame = async () => {
  await refreshTray();
  await refreshCredits();
};

export function localTimes(within = document) {
  for (const time of findAll("time[datetime]", within)) {
    time.title ||= time.textContent;
    time.textContent = moment(time.dateTime);
  }
}

function switchTheme() {
  const dark = document.documentElement.dataset.theme
    ? document.documentElement.dataset.theme === "dark"
    : matchMedia("(prefers-color-scheme: dark)").matches;
  document.documentElement.dataset.theme = dark ? "light" : "dark";
  localStorage.setItem("theme", document.documentElement.dataset.theme);
  document.dispatchEvent(new CustomEvent("theme"));
}

const single = find("#single-keys");
single.checked = localStorage.getItem("single-keys") !== "off";
single.addEventListener("change", () => localStorage.setItem("single-keys", single.checked ? "on" : "off"));

function showShortcuts() {
  find("[data-keys]").replaceChildren(
    ...shortcuts.filter(({ words }) => words).flatMap(({ words, key, shift, ctrl }) => [
      h("dt", {}, words),
      h("dd", {}, ctrl && h("kbd", {}, "Ctrl"), shift && h("kbd", {}, "Shift"), h("kbd", {}, key)),
    ]),
  );
  find("#shortcuts").showModal();
}

document.addEventListener("keydown", (event) => {
  if (event.target.closest("input:not([type=range], [type=checkbox], [type=radio]), textarea, select, [contenteditable]")) return;
  if (find("dialog[open]") || event.altKey || event.metaKey) return;
  if (event.key === "?") {
    event.preventDefault();
    showShortcuts();
    return;
  }
  for (const one of shortcuts) {
    if (event.code !== one.code || event.shiftKey !== one.shift || event.ctrlKey !== one.ctrl) continue;
    if (!single.checked && !one.ctrl && !one.always && /^(Key|Digit|Bracket)/.test(one.code)) continue;
    if (event.target.closest("button, a, summary") && /^(Enter|Space)$/.test(one.code)) continue;
    event.preventDefault();
    one.act(event);
  }
});

document.addEventListener("reached", (event) => {
  find("#offline").hidden = event.detail;
});
// Other nodes of the page find "the server is back" by asking; this asks while it is away.
setInterval(() => {
  if (!find("#offline").hidden) get("/health/live").catch(() => {});
  else if (!document.hidden && !find("[data-running]").hidden) refreshFrame().catch(() => {});
}, LOOK_MS);

// Where tabs are more than the window is wide, the present one is in sight.
find(".page-tabs [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
find("#theme").addEventListener("click", switchTheme);
find("#help").addEventListener("click", showShortcuts);
find("#tray").addEventListener("toggle", (event) => event.newState === "open" && refreshTray().catch(complain));
localTimes();
