// The queue of reviewers: one camera at a time, keyboard first.

import { $, announce, ask, make, metres, month } from "./dom.js";
import { collection } from "./layers.js";
import { NAMES, svg } from "./symbols.js";

const WANTED = 50;
const DONE = { confirm: "Confirmed", reject: "Rejected", merge: "Merged", split: "Split", gone: "Noted as gone", move: "Moved", tag: "Tags set" };
const LEAVES = new Set(["confirm", "reject", "merge", "gone"]); // decisions after which there is a next one

/** The panel's controls. */
export function review(page) {
  let queue = [];
  let at = 0;
  let moving = false;
  const undoable = []; // numbers of the actions of this session, the newest last

  // --- session ---

  const session = async () => {
    try {
      const me = await ask("api/review/me");
      $("review-name").textContent = me.name;
      in_(true);
      await load();
    } catch (error) {
      if (error.status !== 401) say(error.message);
      in_(false);
    }
  };

  const in_ = (on) => {
    $("review-login").hidden = on;
    $("review-desk").hidden = !on;
    if (!on) page.set("candidates", collection([]));
  };

  $("review-login").addEventListener("submit", async (event) => {
    event.preventDefault();
    const { name, passphrase } = event.target.elements;
    try {
      await post("login", { name: name.value, passphrase: passphrase.value });
      $("login-words").textContent = "";
      await session();
      $("review-item").focus();
    } catch (error) {
      $("login-words").textContent = error.message;
    }
    passphrase.value = "";
  });
  $("review-logout").addEventListener("click", async () => {
    await post("logout", {}).catch(() => null);
    in_(false);
  });

  // --- queue ---

  const load = async () => {
    const found = await ask(`api/review/queue?limit=${WANTED}`);
    queue = found.items;
    at = Math.min(at, Math.max(0, queue.length - 1));
    show();
  };

  const show = () => {
    page.set("candidates", collection(queue.map((item) => item.feature)));
    const item = queue[at];
    $("review-where").textContent = queue.length ? `${at + 1} of ${queue.length}` : "Nothing to decide.";
    $("review-item").hidden = !item;
    $("review-keys").hidden = !item;
    if (!item) return page.highlight(null);
    const { properties: p } = item.feature;
    $("review-title").replaceChildren(svg(p.kind), NAMES[p.kind]);
    $("review-facts").replaceChildren(...facts(item));
    $("review-near").replaceChildren(...item.near.slice(0, 9).map((id, i) => neighbour(id, i, item)));
    $("review-near-box").hidden = !item.near.length;
    page.highlight(item.feature.geometry.coordinates, true);
    announce(`${at + 1} of ${queue.length}: ${NAMES[p.kind]}. ${item.reasons.join(". ")}`);
    return null;
  };

  const neighbour = (id, i, item) => {
    const other = queue.find((q) => q.feature.id === id)?.feature;
    const name = other ? NAMES[other.properties.kind] : `camera ${id.slice(0, 6)}`;
    return make("button", { type: "button", onclick: () => decide("merge", { with: id }) },
      make("kbd", { text: String(i + 1) }), ` Same as ${name}${other ? `, ${apart(item.feature, other)}` : ""}`);
  };

  const step = (by) => {
    if (!queue.length) return;
    at = (at + by + queue.length) % queue.length;
    show();
  };

  // --- decisions ---

  const decide = async (verb, more = {}) => {
    const item = queue[at];
    if (!item) return;
    try {
      const { number } = await post("actions", { verb, camera_id: item.feature.id, ...more });
      undoable.push(number);
      say(`${DONE[verb]}. u takes it back.`);
      const next = LEAVES.has(verb);
      if (next) queue.splice(at, 1);
      if (at >= queue.length) at = 0;
      if (next && queue.length) show();
      else await load();
    } catch (error) {
      failed(error);
    }
  };

  const undo = async () => {
    const number = undoable.at(-1);
    if (number === undefined) return say("Nothing to take back.");
    try {
      await post("undo", { number });
      undoable.pop();
      say("Taken back.");
      await load();
    } catch (error) {
      failed(error);
    }
    return null;
  };

  const failed = (error) => {
    say(error.message);
    if (error.status === 401) in_(false);
  };

  const move = () => {
    moving = true;
    $("crosshair").hidden = false;
    say("Click the right place, or move the map and press Enter. Escape: leave it.");
    page.map.getCanvas().focus();
  };

  const moved = (lngLat) => {
    stay();
    decide("move", { lat: lngLat.lat, lon: lngLat.lng });
  };

  const stay = () => {
    moving = false;
    $("crosshair").hidden = true;
    $("review-item").focus();
  };

  $("review-tags").addEventListener("submit", (event) => {
    event.preventDefault();
    const fields = [...new FormData(event.target).entries()].filter(([, value]) => value);
    $("review-tags").hidden = true;
    $("review-item").focus();
    if (fields.length) decide("tag", { tags: Object.fromEntries(fields) });
  });

  const tags = () => {
    $("review-tags").reset();
    $("review-tags").hidden = !$("review-tags").hidden;
    if (!$("review-tags").hidden) $("review-tags").querySelector("select, input").focus();
  };

  // --- keys and buttons ---

  const keys = {
    j: () => step(1), k: () => step(-1), c: () => decide("confirm"), r: () => decide("reject"),
    g: () => decide("gone"), s: () => decide("split"),
    u: undo, v: move, t: tags, m: () => $("review-near").querySelector("button")?.focus(),
  };
  for (const button of document.querySelectorAll("[data-key-of]")) {
    button.addEventListener("click", () => keys[button.dataset.keyOf]());
  }
  document.addEventListener("keydown", (event) => {
    if (!page.shows("review") || $("review-desk").hidden) return;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (moving && (event.key === "Enter" || event.key === "Escape")) {
      event.preventDefault();
      if (event.key === "Enter") moved(page.map.getCenter());
      else stay();
      return;
    }
    if (event.target.closest("input, select, textarea")) return;
    const near = queue[at]?.near[Number(event.key) - 1];
    if (/^[1-9]$/.test(event.key) && near) decide("merge", { with: near });
    else if (keys[event.key]) keys[event.key]();
    else return;
    event.preventDefault();
  });

  session();
  return { takes: () => moving, add: moved, begin: session };
}

const post = (path, body) => ask(`api/review/${path}`, {
  method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json", "X-Review": "1" },
});

function say(text) {
  $("review-said").textContent = text;
}

function facts({ feature, gain, reasons }) {
  const p = feature.properties;
  const rows = [
    ["Why now", reasons.join("; ")],
    ["Status", p.status],
    ["Reports", p.confirmations],
    ["Seen", p.first_seen === p.last_seen ? month(p.last_seen) : `${month(p.first_seen)} to ${month(p.last_seen)}`],
    ["Place", `±${metres(p.sigma_m)}`],
    ["Height", p.height_m === undefined ? null : metres(p.height_m)],
    ["Gain", gain.toPrecision(2)],
  ];
  return rows.filter(([, value]) => value)
    .flatMap(([name, value]) => [make("dt", { text: name }), make("dd", { text: value })]);
}

function apart(a, b) {
  const [[lonA, latA], [lonB, latB]] = [a.geometry.coordinates, b.geometry.coordinates];
  const east = (lonA - lonB) * Math.cos((latA * Math.PI) / 180);
  return `${metres(Math.hypot(east, latA - latB) * 111_320)} away`;
}
