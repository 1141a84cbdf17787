// The list that a person signs: a row per tool, filled in by a picture or by hand, each put right by one tap.
import { find, h, icon } from "./dom.js";
import { score, t } from "./words.js";

const ICONS = { missing: "missing", unsure: "unsure", extra: "extra", present: "check", open: "pending" };
const RANKS = ["missing", "unsure", "open", "present"];

/** One tool of the kit. `found` null: nobody has said yet; `seen` null: no picture was taken. */
class Line {
  constructor(item, number, changed) {
    Object.assign(this, { tool: item, number, changed, found: null, seen: null, unsure: [], boxes: [] });
    this.mark = icon(ICONS.open);
    this.word = h("span", { class: "state" });
    this.small = h("small");
    this.buttons = h("div", { class: "act" });
    const many = item.quantity > 1 ? ` × ${item.quantity}` : "";
    const what = h("div", { class: "what" }, `${number}. ${item.name}${many}`, this.small);
    this.row = h("li", { class: "check-row" }, this.mark, this.word, what, this.buttons);
    this.here = this.#button(t("It is here"), () => this.say(item.quantity));
    this.gone = this.#button(t("Not here"), () => this.say(0));
    if (item.quantity > 1) {
      this.less = this.#button("−", () => this.say(Math.max(0, (this.found ?? item.quantity) - 1)), t("One fewer"));
      this.more = this.#button("+", () => this.say(Math.min(item.quantity, (this.found ?? 0) + 1)), t("One more"));
      this.count = h("output", { class: "many" });
      this.buttons.append(this.less, this.count, this.more);
    } else this.buttons.append(this.here, this.gone);
    this.show();
  }

  get missing() {
    return this.tool.quantity - (this.found ?? 0);
  }

  get state() {
    if (this.found === null) return "open";
    if (!this.missing) return "present";
    return this.unsure.length && this.found === this.seen ? "unsure" : "missing";
  }

  say(found) {
    const was_open = this.found === null;
    this.found = found;
    this.show();
    this.changed(this, was_open);
  }

  focus() {
    const [first] = [this.here, this.gone, this.more].filter((one) => one?.isConnected && !one.hidden);
    first?.focus();
  }

  show() {
    const { state } = this;
    this.row.dataset.state = state;
    const mark = icon(ICONS[state]);
    this.mark.replaceWith(mark);
    this.mark = mark;
    this.word.textContent = { missing: t("Missing"), unsure: t("Unsure"), present: t("Present"), open: t("Look") }[state];
    this.small.textContent = [this.tool.serial_number, ...this.#words()].filter(Boolean).join(", ");
    this.here.hidden = this.found === this.tool.quantity;
    this.gone.hidden = this.found === 0;
    this.gone.classList.toggle("plain", state === "present");
    if (this.count) this.count.textContent = this.found === null ? "?" : t("{found} of {all}", { found: this.found, all: this.tool.quantity });
  }

  #words() {
    if (this.seen === null) return [this.found === null ? "" : t("by hand")];
    if (this.found !== this.seen) return [t("corrected by hand")];
    if (this.unsure.length) return [t("perhaps seen, at {score}", { score: this.unsure.map((one) => score(one.score)).join(", ") })];
    return [this.found ? t("seen at {score}", { score: this.boxes.map((one) => score(one.score)).join(", ") }) : t("not seen")];
  }

  #button(words, act, name = words) {
    return h("button", { class: "button", type: "button", onclick: act, "aria-label": `${name}: ${this.tool.name}` }, words);
  }
}

export class Checklist {
  constructor(list, items, changed) {
    this.list = list;
    this.changed = changed;
    this.lines = items.map((item, at) => new Line(item, at + 1, (line, was_open) => this.#told(line, was_open)));
    this.extra = [];
    list.replaceChildren(...this.lines.map((line) => line.row));
    this.#close(true);
  }

  get missing() {
    return this.lines.reduce((sum, line) => sum + line.missing, 0);
  }

  get open() {
    return this.lines.filter((line) => line.found === null).length;
  }

  /** Everything was looked at, and something is not there. */
  get isShort() {
    return this.open === 0 && this.missing > 0;
  }

  get missingNames() {
    return this.lines.filter((line) => line.missing).map((line) => (line.missing > 1 ? `${line.missing} × ${line.tool.name}` : line.tool.name));
  }

  /** How many lines are in each state. */
  counts() {
    const counts = { present: 0, missing: 0, unsure: 0, open: 0, extra: this.extra.length };
    for (const line of this.lines) counts[line.state] += 1;
    return counts;
  }

  /** Nobody has looked yet: every line wants a word. */
  byHand() {
    this.extra = [];
    for (const line of this.lines) Object.assign(line, { found: null, seen: null, unsure: [], boxes: [] });
    this.#arrange(this.lines);
  }

  allHere() {
    for (const line of this.lines) if (line.found === null) line.found = line.tool.quantity;
    for (const line of this.lines) line.show();
    this.changed();
  }

  /** What a picture showed; what is wrong comes first, and stays where it is while it is put right. */
  fillIn({ present, unsure, extra }) {
    const of = (told, line) => told.filter((one) => one.tool_id === line.tool.tool_id);
    for (const line of this.lines) {
      line.boxes = of(present, line);
      line.unsure = of(unsure, line);
      line.found = line.seen = line.boxes.length;
    }
    this.extra = extra;
    this.#arrange([...this.lines].sort((a, b) => RANKS.indexOf(a.state) - RANKS.indexOf(b.state)));
  }

  /** What is there of each line, as far as it was said; and the same put back. */
  get found() {
    return this.lines.map((line) => line.found);
  }

  putBack(found) {
    for (const [at, line] of this.lines.entries()) line.found = found[at];
    for (const line of this.lines) line.show();
    this.changed();
  }

  /** Where a person saw otherwise than the picture, or what is not there when none was taken. */
  corrections() {
    const said = this.lines.filter((line) => line.found !== (line.seen ?? line.tool.quantity));
    return said.map((line) => ({ tool_id: line.tool.tool_id, found: line.found }));
  }

  clear() {
    this.byHand();
    this.#close(true);
  }

  #arrange(lines) {
    for (const line of lines) line.show();
    const rows = lines.map((line) => line.row);
    const fine = lines.findIndex((line) => line.state === "present");
    rows.splice(fine < 0 ? rows.length : fine, 0, ...this.extra.map(extraRow));
    this.list.replaceChildren(...rows);
    this.#close(false);
    this.changed();
  }

  /** Whoever goes through the list by keyboard is taken to what is still open; a corrected line keeps the focus. */
  #told(line, was_open) {
    this.changed();
    const next = was_open && line.tool.quantity === 1 ? this.lines.find((one) => one.found === null) : line;
    if (!line.row.contains(document.activeElement) && document.activeElement !== document.body) return;
    if (next) next.focus();
    else this.goOn();
  }

  /** To the safe way on: where a tool is missing that is looking for it, never signing. */
  goOn() {
    find(".primary:not([hidden])", find("#sign")).focus();
  }

  #close(closed) {
    for (const line of this.lines) line.buttons.hidden = closed;
  }
}

const extraRow = (one) =>
  h(
    "li",
    { class: "check-row", data: { state: "extra" } },
    icon(ICONS.extra),
    h("span", { class: "state" }, t("Extra")),
    h("div", { class: "what" }, one.name, h("small", {}, t("not part of this kit, seen at {score}", { score: score(one.score) }))),
  );
