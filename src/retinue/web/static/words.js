// How scripts say things: translated texts, amounts, sizes, moments.
const catalogue = globalThis.document?.getElementById("words");
const known = catalogue ? JSON.parse(catalogue.textContent) : {};
const locale = document.documentElement.lang || "en";

/** t("{count} failed", {count: 2}); the English text is its own key. */
export const t = (text, values = {}) => (known[text] ?? text).replace(/\{(\w+)\}/g, (_, name) => String(values[name]));

export const number = (value, places = 0) =>
  Number(value).toLocaleString(locale, { minimumFractionDigits: places, maximumFractionDigits: places });
export const credits = (value) => number(value, 2);
export const score = (value) => Number(value).toFixed(2);
export const milliseconds = (value) => `${number(value, value < 10 ? 1 : 0)} ms`;

export function size(bytes) {
  let amount = bytes;
  for (const unit of ["bytes", "KB", "MB", "GB"]) {
    if (amount < 1024 || unit === "GB") return `${number(amount, (unit === "MB" || unit === "GB") && amount < 100 ? 1 : 0)} ${unit}`;
    amount /= 1024;
  }
}

/** States of jobs as the API names them, in the reader's words. */
const STATES = { PENDING: t("PENDING"), RUNNING: t("RUNNING"), COMPLETED: t("COMPLETED"), FAILED: t("FAILED"), ABORTED: t("ABORTED") };
export const state = (status) => STATES[status] ?? status;

export function moment(iso) {
  const at = new Date(iso);
  const today = at.toDateString() === new Date().toDateString();
  return at.toLocaleString(locale, today ? { timeStyle: "medium" } : { dateStyle: "medium", timeStyle: "short" });
}

export function duration(seconds) {
  if (seconds < 90) return t("{count} s", { count: Math.max(1, Math.round(seconds)) });
  if (seconds < 5400) return t("{count} min", { count: Math.round(seconds / 60) });
  return t("{count} h", { count: number(seconds / 3600, 1) });
}
