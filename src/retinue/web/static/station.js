// Every step of the crib: Enter confirms and goes on, Escape goes back, and moments are the reader's own.
import { find, findAll } from "./dom.js";
import { moment } from "./words.js";

const FIELDS = "input, select, textarea";

document.addEventListener("keydown", (event) => {
  const field = event.target.closest(FIELDS);
  if (event.key === "Escape") {
    if (field?.type === "search" && field.value) return; // the browser empties it
    event.preventDefault();
    if (document.dispatchEvent(new CustomEvent("step-back", { cancelable: true }))) location.assign(find("#back").href);
  } else if (event.key === "Enter" && !field && !event.target.closest("a, button, summary")) {
    event.preventDefault();
    if (document.dispatchEvent(new CustomEvent("step-on", { cancelable: true }))) find("#confirm")?.click();
  }
});

for (const time of findAll("time[datetime]")) {
  time.title ||= time.textContent;
  time.textContent = moment(time.dateTime);
}

// What the search has left over alone is what was meant.
find("form[role=search]")?.addEventListener("submit", (event) => {
  const left = findAll("#kits > :not([hidden]) a");
  if (left.length !== 1) return;
  event.preventDefault();
  location.assign(left[0].href);
});
