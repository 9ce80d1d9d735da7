// The page: puts the map and its panels together.
/* global maplibregl */

import { $, announce, ask, number, paced } from "./dom.js";
import { basemap } from "./basemap.js";
import { closeDetails, details } from "./details.js";
import { counted, everything, extra, filters } from "./filters.js";
import { exposure } from "./exposure.js";
import { follow } from "./live.js";
import { grid } from "./grid.js";
import { EMPTY, applyFilters, collection, style } from "./layers.js";
import { list, mark } from "./list.js";
import { review } from "./review.js";
import { statistics, whole } from "./statistics.js";
import { dark, picture, svg } from "./symbols.js";

const REACH_PX = 10; // how near a click must be
const CLOSE = 17; // zoom at which a chosen camera is looked at
const WORLD = { center: [10, 30], zoom: 1.6 };

const phone = matchMedia("(max-width: 44rem)");
const scene = {
  filters: everything(), base: { sources: {}, layers: () => [] },
  grid: EMPTY, truth: EMPTY, way: EMPTY, candidates: EMPTY, chosen: EMPTY, chosenId: null,
};
let map = null;
const page = { map: null, set, open, show, shows, fit, collapse: () => expand(false), highlight };

// --- the map -------------------------------------------------------------------------------------

function set(source, data) {
  scene[source] = data;
  map.getSource(source)?.setData(data);
}

function padding() {
  if (phone.matches) return { top: 60, left: 40, right: 40, bottom: $("panel").offsetHeight + 30 };
  return { top: 70, left: $("panel").offsetWidth + 70, right: 80, bottom: 70 };
}

function fit(points, maxZoom = 18.5) {
  const first = new maplibregl.LngLatBounds(points[0], points[0]);
  const bounds = points.reduce((box, point) => box.extend(point), first);
  map.fitBounds(bounds, { padding: padding(), maxZoom, animate: false });
}

/** A ring round a place; ``go`` moves the map there, clear of the panel. */
function highlight(at, go = false) {
  set("chosen", at ? collection([{ type: "Feature", properties: {}, geometry: { type: "Point", coordinates: at } }]) : EMPTY);
  if (!at || !go) return;
  const { left, bottom } = padding();
  map.easeTo({
    center: at, zoom: Math.max(map.getZoom(), CLOSE), duration: 300,
    offset: phone.matches ? [0, -bottom / 2] : [left / 2, 0],
  });
}

/** Go to ``#zoom/latitude/longitude`` of the address; false if it names no place. */
function goToAddress() {
  const [zoom, lat, lon] = location.hash.slice(1).split("/").map(Number);
  if (![zoom, lat, lon].every(Number.isFinite)) return false;
  map.jumpTo({ zoom, center: [lon, lat] });
  return true;
}

/** Where the map begins: at the place of the address, else where the cameras are. */
function begin(extent) {
  addEventListener("hashchange", goToAddress);
  if (!goToAddress() && extent) fit([[extent[0], extent[1]], [extent[2], extent[3]]]);
}

function click(event) {
  const tool = [page.way, page.review].find((one) => one?.takes());
  if (tool) return tool.add(event.lngLat);
  const { x, y } = event.point;
  const hits = map.queryRenderedFeatures(
    [[x - REACH_PX, y - REACH_PX], [x + REACH_PX, y + REACH_PX]], { layers: ["cameras", "clusters"] });
  const [hit] = hits;
  if (!hit) return close();
  const at = hit.geometry.coordinates;
  if (hit.layer.id === "clusters") return map.easeTo({ center: at, zoom: map.getZoom() + 2 });
  return open(hit.properties.id, at, false);
}

// --- details -------------------------------------------------------------------------------------

let opener = null;

/** Show one camera; the focus goes to its panel and comes back when that closes. */
async function open(id, at, go = true) {
  opener = document.activeElement;
  scene.chosenId = id;
  highlight(at, go);
  mark(id);
  const camera = await details(id);
  if (scene.chosenId !== id) return;
  show("cameras");
  if (camera) highlight(camera.geometry.coordinates);
  $("details-title").focus({ preventScroll: true });
  $("details").scrollIntoView({ block: "start" });
}

function close() {
  if (scene.chosenId === null) return;
  const key = scene.chosenId;
  scene.chosenId = null;
  closeDetails();
  highlight(null);
  mark(null);
  const inList = $("list").querySelector(`[data-key="${CSS.escape(key)}"]`);
  (opener?.isConnected && opener !== document.body ? opener : inList)?.focus();
}

// --- panels --------------------------------------------------------------------------------------

const tabs = () => [...document.querySelectorAll("[role=tab]")].filter((tab) => !tab.hidden);
function shows(name) {
  return !$(name).hidden;
}

function show(name, unfold = true) {
  for (const tab of document.querySelectorAll("[role=tab]")) {
    const on = tab.getAttribute("aria-controls") === name;
    tab.setAttribute("aria-selected", String(on));
    tab.tabIndex = on ? 0 : -1;
    $(tab.getAttribute("aria-controls")).hidden = !on;
  }
  if (unfold) expand(true);
  if (name === "statistics") count();
}

function expand(on) {
  $("panel").classList.toggle("open", on);
  $("unfold").setAttribute("aria-expanded", String(on));
}

function panels() {
  for (const tab of document.querySelectorAll("[role=tab]")) {
    tab.addEventListener("click", () => show(tab.getAttribute("aria-controls")));
    tab.addEventListener("keydown", (event) => {
      const turn = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!turn) return;
      const all = tabs();
      const next = all[(all.indexOf(tab) + turn + all.length) % all.length];
      show(next.getAttribute("aria-controls"));
      next.focus();
    });
  }
  $("unfold").addEventListener("click", () => expand(!$("panel").classList.contains("open")));
  $("details-close").addEventListener("click", close);
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && shows("cameras")) close();
  });
}

const count = () => statistics(map).catch((error) => { $("statistics-words").textContent = error.message; });

async function total() {
  const counts = await whole();
  $("total").textContent = number(counts.cameras);
  $("total-word").textContent = counts.cameras === 1 ? "camera on record" : "cameras on record";
  $("empty").hidden = counts.cameras > 0;
  counted(counts.kinds);
}

// --- begin ---------------------------------------------------------------------------------------

/** The map has changed: read again what is on the screen; what did not change comes as 304. */
function refresh() {
  map.refreshTiles("cameras");
  total().catch(console.warn);
  if (shows("statistics")) count();
}

function listen() {
  // What was set before the style was read is not in it.
  map.once("load", () => {
    for (const source of ["truth", "way", "candidates", "chosen"]) set(source, scene[source]);
    set("grid", grid(map));
  });
  const relist = paced(() => list(map, scene, open), 80);
  map.on("styleimagemissing", ({ id }) => {
    const made = picture(id);
    if (made && !map.hasImage(id)) map.addImage(id, made, { pixelRatio: 2 });
  });
  map.on("moveend", () => {
    set("grid", grid(map));
    if (shows("statistics")) count();
  });
  const busy = (on) => $("map").setAttribute("aria-busy", String(on));
  map.on("dataloading", () => busy(true));
  map.on("movestart", () => busy(true));
  map.on("idle", () => {
    busy(false);
    relist();
  });
  // A tile that was read again is not always drawn by itself.
  map.on("sourcedata", ({ tile }) => { if (tile) map.triggerRepaint(); });
  map.on("click", click);
  for (const layer of ["cameras", "clusters"]) {
    map.on("mouseenter", layer, () => { map.getCanvas().style.cursor = "pointer"; });
    map.on("mouseleave", layer, () => { map.getCanvas().style.cursor = ""; });
  }
  dark.addEventListener("change", () => map.setStyle(style(scene)));
}

function build() {
  maplibregl.setWorkerUrl(new URL("page/vendor/maplibre-gl-csp-worker.js", document.baseURI).href);
  map = new maplibregl.Map({
    container: "map", style: style(scene), ...WORLD, maxZoom: 21.5, attributionControl: false,
    dragRotate: false, pitchWithRotate: false, fadeDuration: 0,
    locale: { "Map.Title": "Map of the cameras on record; arrow keys move it, plus and minus zoom" },
  });
  page.map = map;
  map.touchZoomRotate.disableRotation();
  map.keyboard.disableRotation();
  map.addControl(new maplibregl.NavigationControl({ showCompass: false }), "top-right");
  map.addControl(new maplibregl.ScaleControl({ maxWidth: 110, unit: "metric" }), phone.matches ? "top-left" : "bottom-right");
}

async function truth() {
  const found = await ask("api/truth.geojson");
  set("truth", found);
  extra("truth", "True place", (on) => set("truth", on ? found : EMPTY));
}

async function main() {
  const settings = await ask("api/page.json");
  $("attribution").textContent = settings.attribution ? `· ${settings.attribution}` : "";
  try {
    scene.base = await basemap(settings.tiles);
  } catch (error) {
    announce(`The basemap cannot be read: ${error.message}`);
  }
  build();
  begin(settings.extent);
  panels();
  filters(scene, () => applyFilters(map, scene.filters));
  listen();
  page.way = exposure(page);
  if (settings.review) {
    $("tab-review").hidden = false;
    page.review = review(page);
  }
  let fitted = Boolean(settings.extent) || location.hash.length > 1;
  total().catch(console.warn);
  if (settings.truth) truth().catch(console.warn);
  follow(refresh, (change) => {
    if (!fitted && change.geometry) {
      fit([change.geometry.coordinates]);
      fitted = true;
    }
    if (change.id !== scene.chosenId) return;
    if (change.change === "removed") close();
    else open(change.id, change.geometry.coordinates, false);
  });
}

for (const mark of document.querySelectorAll("[data-shape]")) mark.replaceWith(svg(mark.dataset.shape));
main().catch((error) => {
  $("live").dataset.state = "off";
  $("live").textContent = "the hub does not answer";
  console.warn(error);
});
