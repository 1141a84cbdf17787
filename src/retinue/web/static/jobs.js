// The list of jobs, kept fresh while one of them is under way.
import { find } from "./dom.js";
import { pageOf } from "./more.js";
import { localTimes } from "./shell.js";

const LOOK_MS = 2000;

async function look() {
  if (!document.hidden && find("#jobs [data-open]")) {
    try {
      const rows = find("#jobs", await pageOf(location.href));
      // Only the first page is looked at again; rows that were scrolled to stay.
      [...rows.children].forEach((row, at) => find("#jobs").children[at]?.replaceWith(document.importNode(row, true)));
      localTimes(find("#jobs"));
    } catch {
      document.dispatchEvent(new CustomEvent("reached", { detail: false }));
    }
  }
  setTimeout(look, LOOK_MS);
}

setTimeout(look, LOOK_MS);
