// The cameras in view as a list: what the map shows, for those who use a keyboard or a reader.

import { $, make, metres, month, number, place } from "./dom.js";
import { KINDS, NAMES, svg } from "./symbols.js";
import { POINTS_FROM } from "./layers.js";

const LISTED = 60;
const NEARER = 2.2; // zooms at once when a group is opened

/** Fills the list from what is drawn; ``open(id, lngLat)`` is called for a camera. */
export function list(map, scene, open) {
  const close = map.getZoom() >= POINTS_FROM;
  const found = close ? cameras(map) : groups(map, scene);
  const centre = map.getCenter();
  const east = Math.cos((centre.lat * Math.PI) / 180);
  const away = ({ at: [lon, lat] }) => Math.hypot((lon - centre.lng) * east, lat - centre.lat);
  found.sort(close ? (a, b) => away(a) - away(b) : (a, b) => b.count - a.count);
  const total = found.reduce((sum, item) => sum + item.count, 0);
  $("in-view").textContent = `${number(total)} in view`;
  const focused = document.activeElement?.closest?.("#list")
    ? document.activeElement.dataset.key : null;
  const entries = found.slice(0, LISTED);
  $("list").replaceChildren(...entries.map((item) => (close ? entry(item, open) : group(item, map, found.length === 1))));
  if (focused) $("list").querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
  mark(scene.chosenId);
  $("rest").textContent = rest(found, close, scene.filters);
}

/** Show which camera of the list is open. */
export function mark(id) {
  for (const button of $("list").querySelectorAll("button")) {
    button.setAttribute("aria-current", String(button.dataset.key === id));
  }
}

function rest(found, close, filters) {
  if (!found.length) return "None. Move the map, or show more.";
  if (!close && (filters.since || filters.reports !== "1")) {
    return "Groups count cameras of any month and any number of reports; zoom in to see those you chose.";
  }
  if (found.length <= LISTED) return close ? "" : "Zoom in to see single cameras.";
  return `and ${number(found.length - LISTED)} more ${close ? "cameras" : "places"}; zoom in`;
}

function cameras(map) {
  const found = new Map();
  for (const { properties, geometry } of map.queryRenderedFeatures({ layers: ["cameras"] })) {
    found.set(properties.id, { ...properties, at: geometry.coordinates, count: 1 });
  }
  return [...found.values()];
}

function groups(map, scene) {
  const found = new Map();
  for (const { properties, geometry } of map.queryRenderedFeatures({ layers: ["clusters"] })) {
    const count = KINDS.filter((kind) => scene.filters.kinds.has(kind))
      .reduce((sum, kind) => sum + (properties[kind] ?? 0), 0);
    found.set(geometry.coordinates.join(), { at: geometry.coordinates, count });
  }
  return [...found.values()];
}

function entry(camera, open) {
  return item(camera.id, () => open(camera.id, camera.at), svg(camera.kind),
    make("span", { text: `${NAMES[camera.kind]} ±${metres(camera.sigma_dm / 10)}` }),
    make("span", { class: "when", text: month(camera.month) }));
}

function group(cluster, map, alone) {
  const [lon, lat] = cluster.at;
  const zoom = alone ? POINTS_FROM + 1 : map.getZoom() + NEARER;
  const name = cluster.count === 1 ? "1 camera" : `${number(cluster.count)} cameras`;
  return item(cluster.at.join(), () => map.easeTo({ center: cluster.at, zoom }),
    make("span", { class: "dot" }), make("span", { text: name }),
    make("span", { class: "when", text: place(lon, lat, 2) }));
}

const item = (key, onclick, ...children) => make("li", {},
  make("button", { type: "button", "data-key": key, onclick }, ...children));
