// What the scanner finds on this walk, as long as this page is looked at. Nothing is stored: no
// cache, no local storage, no position; what is on the screen goes when the page is hidden.
"use strict";

const EVERY_MS = 2000;
const PATIENCE_MS = 6000;
const TONES = { scanning: "good", found: "good", done: "good", asleep: "wait", searching: "wait", "no-fix": "wait", wiped: "wait" };
const LEAVES = "leaves";

const at = (id) => document.getElementById(id);
let timer = 0;
let answer = "";
let paused = false;

async function call(path, body) {
  const options = { cache: "no-store", credentials: "same-origin", signal: AbortSignal.timeout(PATIENCE_MS) };
  if (body) {
    Object.assign(options, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
  }
  return fetch(path, options);
}

function list(id, items, make) {
  at(id).replaceChildren(...items.flatMap(make));
}

function element(name, text, className) {
  const made = document.createElement(name);
  made.textContent = text;
  if (className) made.className = className;
  return made;
}

function ago(seconds) {
  if (seconds < 60) return "just now";
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  return `${Math.floor(seconds / 3600)} h ago`;
}

function sums(view) {
  const parts = [`${view.sites} ${view.sites === 1 ? "site" : "sites"} on the card`];
  if (view.withheld) parts.push(`${view.withheld} kept back by your profile`);
  return view.finds.length || view.sites || view.withheld ? parts.join(" · ") : "Nothing found yet.";
}

function setText(id, text) {
  // Only when it differs: screen readers speak what is replaced.
  if (at(id).textContent !== text) at(id).textContent = text;
}

function show(view) {
  paused = view.paused;
  at("state").dataset.tone = view.troubles.length || view.state === "away" ? "bad" : TONES[view.state] || "wait";
  setText("state-text", view.text);
  setText("state-detail", view.detail);
  if (at("troubles").textContent !== view.troubles.join("")) {
    list("troubles", view.troubles, (text) => [element("li", text)]);
  }
  const facts = Object.entries(view.facts).filter(([name]) => name !== LEAVES);
  list("facts", facts, ([name, text]) => {
    const row = element("div", "");
    row.append(element("dt", name), element("dd", text));
    return [row];
  });
  setText("sums", sums(view));
  list("finds", view.finds, (find) => {
    const row = element("li", "");
    row.append(element("span", find.text), element("span", ago(find.ago_s), "ago"));
    return [row];
  });
  setText("leaves", view.facts[LEAVES] || "");
  setText("pause", paused ? "Go on" : "Pause");
  for (const id of ["pause", "new", "wipe"]) at(id).disabled = !view.running;
}

function forget() {
  list("troubles", [], (x) => x);
  list("facts", [], (x) => x);
  list("finds", [], (x) => x);
  for (const id of ["state-text", "state-detail", "sums", "leaves", "leave-note"]) setText(id, "");
  if (at("sure").open) at("sure").close();
  answer = "";
}

function open(inside) {
  if (at("enter").hidden === inside && at("walk").hidden !== inside) return;
  at("enter").hidden = inside;
  at("walk").hidden = at("bar").hidden = !inside;
  if (inside) return;
  forget();
  at("code").focus();
}

async function refresh() {
  clearTimeout(timer);
  if (document.hidden) return;
  try {
    const response = await call("/view");
    if (response.status === 401) {
      open(false);
      return;
    }
    const view = await response.json();
    if (document.hidden) return; // it was asked for before
    open(true);
    show(view);
  } catch {
    if (document.hidden) return;
    at("state").dataset.tone = "bad";
    setText("state-text", "The scanner does not answer");
    setText("state-detail", "Is the link up?");
    for (const id of ["pause", "new", "wipe"]) at(id).disabled = true;
  }
  timer = setTimeout(refresh, EVERY_MS);
}

async function enter(code) {
  at("code-note").textContent = "";
  let response;
  try {
    response = await call("/enter", { code });
  } catch {
    at("code-note").textContent = "The scanner does not answer.";
    return;
  }
  at("code").value = "";
  if (response.ok) {
    await refresh();
  } else {
    at("code-note").textContent =
      response.status === 429 ? "Too many guesses: wait a little." : "That is not the code.";
  }
}

async function ask(body) {
  try {
    const response = await call("/ask", body);
    if (response.status === 503) setText("state-detail", "The scanner is not running.");
    return response;
  } catch {
    setText("state-detail", "The scanner does not answer.");
    return null;
  } finally {
    refresh();
  }
}

at("code-form").addEventListener("submit", (event) => {
  event.preventDefault();
  enter(at("code").value);
});
at("pause").addEventListener("click", () => ask({ what: paused ? "go on" : "pause" }));
at("new").addEventListener("click", () => ask({ what: "new walk" }));
at("wipe").addEventListener("click", async () => {
  const response = await ask({ what: "wipe" });
  if (!response || !response.ok) return;
  answer = (await response.json()).answer;
  if (document.hidden) return;
  at("sure").showModal();
  at("keep").focus();
});
at("keep").addEventListener("click", () => at("sure").close());
at("wipe-now").addEventListener("click", async () => {
  at("sure").close();
  const response = await ask({ what: "wipe", answer });
  if (response && response.status === 409) setText("state-detail", "Too late: press Wipe again.");
});
at("leave").addEventListener("click", async () => {
  setText("leave-note", "");
  const response = await call("/leave", {}).catch(() => null);
  if (response && (response.ok || response.status === 401)) open(false);
  else setText("leave-note", "Still open: the scanner does not answer. Try again.");
});
document.addEventListener("visibilitychange", () => (document.hidden ? forget() : refresh()));
window.addEventListener("pagehide", forget);

// The code of a scanned QR code is behind the #, which no server is sent; the history forgets it.
const scanned = decodeURIComponent(location.hash.slice(1));
if (scanned) {
  history.replaceState(null, "", location.pathname);
  enter(scanned).then(() => at("walk").hidden && open(false));
} else {
  refresh();
}
