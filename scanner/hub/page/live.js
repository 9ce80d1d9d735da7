// Follows the hub's stream of changes, so that the map is never older than it looks.

import { $, announce, paced } from "./dom.js";
import { NAMES } from "./symbols.js";

const PAUSE_MS = 1500; // between two refreshes, however many changes come
const AGAIN_MS = 3000;

/** Calls ``refresh`` when the map has changed, and ``told`` with every change. */
export function follow(refresh, told) {
  const soon = paced(refresh, PAUSE_MS);
  let version = null;
  const open = () => {
    const events = new EventSource("api/changes");
    events.addEventListener("hello", (event) => {
      const now = JSON.parse(event.data).version;
      if (version !== null && version !== now) soon(); // what came while we were away
      version = now;
      state("on", "live");
    });
    events.addEventListener("change", (event) => {
      const change = JSON.parse(event.data);
      if (change.change === "added") announce(`A camera was added: ${NAMES[change.properties.kind]}.`);
      told(change);
      version = "";
      soon();
    });
    events.addEventListener("error", () => {
      state("off", "connection lost");
      // A browser gives up for good when the hub answers with an error; we do not.
      if (events.readyState === EventSource.CLOSED) setTimeout(open, AGAIN_MS);
    });
  };
  open();
}

function state(name, text) {
  $("live").dataset.state = name;
  $("live").textContent = text;
}
