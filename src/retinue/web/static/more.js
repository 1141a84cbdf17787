// Lists that go on: the next page is fetched when the end comes into sight, and its rows join these.
import { find, findAll } from "./dom.js";
import { complain, localTimes } from "./shell.js";
import { t } from "./words.js";

/** A page of ours as a document: parsed by the browser itself, its scripts do not run. */
export const pageOf = (path) =>
  new Promise((resolve, reject) => {
    const asked = new XMLHttpRequest();
    asked.responseType = "document";
    asked.open("GET", path);
    asked.onload = () => (asked.status < 400 && asked.response ? resolve(asked.response) : reject(new Error(t("The server answered {status}", { status: asked.status }))));
    asked.onerror = () => reject(new Error(t("The server does not answer")));
    asked.send();
  });

for (const link of findAll("a[data-more]")) {
  const list = find(link.dataset.more);
  let busy = false;
  // A busy page is told of several changes at once: the last one is how things are.
  const watch = new IntersectionObserver((changes) => changes.at(-1).isIntersecting && goOn(), { rootMargin: "600px" });
  const goOn = async () => {
    if (busy || !link.isConnected) return;
    busy = true;
    try {
      const next = await pageOf(link.href);
      const rows = [...find(link.dataset.more, next).children].map((row) => document.importNode(row, true));
      list.append(...rows);
      localTimes(list);
      list.dispatchEvent(new CustomEvent("grown", { bubbles: true }));
      const further = find("a[data-more]", next);
      if (further) link.href = further.getAttribute("href");
      else link.remove();
      busy = false;
      // Looked at anew: where the end never left sight, because people are quick or the rows few, no change is told.
      watch.unobserve(link);
      if (further) watch.observe(link);
    } catch (lost) {
      busy = false;
      complain(lost);
    }
  };
  link.addEventListener("click", (event) => {
    event.preventDefault();
    goOn();
  });
  watch.observe(link);
}
