// Which cameras are shown: by kind, by the month they were last seen, by number of reports.

import { $, make, number } from "./dom.js";
import { KINDS, NAMES, svg } from "./symbols.js";

const WITHIN = [["", "At any time"], ["0", "This month"], ["3", "In 3 months"], ["12", "In a year"], ["24", "In 2 years"]];
const REPORTS = [["1", "Any number"], ["2", "2 or more"], ["3-5", "3 or more"], ["6+", "6 or more"]];

export const everything = () => ({ kinds: new Set(KINDS), since: "", reports: "1" });

/** Puts the controls on the page; ``changed`` is called when one was used. */
export function filters(scene, changed) {
  const chosen = scene.filters;
  $("kinds").append(...KINDS.map((kind) => chip(kind, NAMES[kind], (on) => {
    if (on) chosen.kinds.add(kind);
    else chosen.kinds.delete(kind);
    changed();
  })));
  $("more-filters").append(
    choice("since", "Last seen", WITHIN, (value) => {
      chosen.since = value === "" ? "" : monthsAgo(Number(value));
      changed();
    }),
    choice("reports", "Reports", REPORTS, (value) => {
      chosen.reports = value;
      changed();
    }),
  );
}

/** A switch for something else that is drawn. */
export function extra(kind, name, set) {
  $("kinds").append(chip(kind, name, set));
}

/** How many there are of each kind, whole map. */
export function counted(kinds) {
  for (const kind of KINDS) $(`n-${kind}`).textContent = number(kinds[kind] ?? 0);
}

function chip(kind, name, set) {
  const box = make("input", { type: "checkbox", checked: true });
  box.addEventListener("change", () => set(box.checked));
  return make("label", { "data-kind": kind }, box, svg(kind), name, make("span", { class: "n", id: `n-${kind}` }));
}

function choice(id, name, options, set) {
  const select = make("select", { id: `filter-${id}` }, ...options.map(([value, text]) => make("option", { value, text })));
  select.addEventListener("change", () => set(select.value));
  return make("label", {}, make("span", { text: name }), select);
}

function monthsAgo(count) {
  const now = new Date();
  const then = new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - count, 15));
  return then.toISOString().slice(0, 7);
}
