// The map of published cameras: loads them once, then follows the stream of changes.
/* global maplibregl */

const KINDS = ["bullet", "dome", "ptz", "alpr", "unknown"];
const NAMES = {
  bullet: "Fixed", dome: "Dome", ptz: "Moving", alpr: "Plate reader", unknown: "Kind unknown",
};
const PATHS = { // in a square of 24; told apart by shape as well as by colour
  bullet: "M12 3 22 20H2Z",
  dome: "M12 3a9 9 0 1 1 0 18 9 9 0 0 1 0-18Z",
  ptz: "M12 1.5 22.5 12 12 22.5 1.5 12Z",
  alpr: "M4 4h16v16H4Z",
  unknown: "M9 3h6v6h6v6h-6v6H9v-6H3V9h6Z",
};
const THEMES = {
  light: {
    sea: "#e4e8ea", land: "#f4f3ef", border: "#cfccc2", grid: "#1d2328", halo: "#ffffff",
    truth: "#1d2328", ring: "#1d2328",
    kinds: { bullet: "#0066a8", dome: "#c2410c", ptz: "#86339c", alpr: "#00724f", unknown: "#5b646b" },
  },
  dark: {
    sea: "#0e1214", land: "#171c1f", border: "#323a40", grid: "#e8e6e0", halo: "#0e1214",
    truth: "#ffffff", ring: "#e8e6e0",
    kinds: { bullet: "#5cb6f2", dome: "#ff9d57", ptz: "#d59ae8", alpr: "#4fd1a5", unknown: "#a5afb6" },
  },
};
const LISTED = 60;
const RINGS_FROM_ZOOM = 15;
const GRID_FROM_ZOOM = 11;
const METRES_PER_DEGREE = 111_320;

const dark = matchMedia("(prefers-color-scheme: dark)");
const theme = () => THEMES[dark.matches ? "dark" : "light"];
const $ = (id) => document.getElementById(id);
const collection = (features) => ({ type: "FeatureCollection", features });

const cameras = new Map(); // id -> GeoJSON feature
const shown = new Set(KINDS);
let truth = null; // rings of the true cameras, in demonstrations
let truthShown = true;
let chosen = null; // id of the camera whose popup is open
let fitted = false;
let settings = { tiles: "", attribution: "", truth: false };

// --- drawing -----------------------------------------------------------------------------------

function svg(kind) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  element.setAttribute("viewBox", "0 0 24 24");
  element.setAttribute("class", "shape");
  element.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", PATHS[kind === "truth" ? "dome" : kind]);
  path.dataset.kind = kind;
  colour(path);
  element.append(path);
  return element;
}

function colour(path) {
  const { kind } = path.dataset;
  path.setAttribute("fill", kind === "truth" ? "none" : theme().kinds[kind]);
  path.setAttribute("stroke", kind === "truth" ? theme().truth : "none");
  path.setAttribute("stroke-width", "2.5");
}

function icon(kind, colours) {
  const scale = 2;
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 28 * scale;
  const pen = canvas.getContext("2d");
  pen.scale(scale, scale);
  pen.translate(2, 2);
  const path = new Path2D(PATHS[kind]);
  pen.lineJoin = "round";
  pen.lineWidth = 4;
  pen.strokeStyle = colours.halo;
  pen.stroke(path);
  pen.fillStyle = colours.kinds[kind];
  pen.fill(path);
  return pen.getImageData(0, 0, canvas.width, canvas.height);
}

function style() {
  const colours = theme();
  const name = dark.matches ? "dark" : "light";
  const sources = {
    world: { type: "geojson", data: new URL("page/vendor/world.json", document.baseURI).href },
    grid: { type: "geojson", data: collection(gridLines()) },
    rings: { type: "geojson", data: collection(rings()) },
    cameras: { type: "geojson", data: collection(visible()), promoteId: "id" },
    truth: { type: "geojson", data: truth && truthShown ? truth : collection([]) },
  };
  const layers = [
    { id: "sea", type: "background", paint: { "background-color": colours.sea } },
    { id: "land", type: "fill", source: "world", filter: ["==", ["get", "of"], "land"],
      paint: { "fill-color": colours.land, "fill-antialias": false } },
    { id: "borders", type: "line", source: "world", filter: ["==", ["get", "of"], "border"],
      maxzoom: 9, paint: { "line-color": colours.border, "line-width": 0.8 } },
    { id: "grid", type: "line", source: "grid", minzoom: GRID_FROM_ZOOM,
      paint: { "line-color": colours.grid, "line-opacity": ["case", ["get", "major"], 0.14, 0.06] } },
    { id: "rings", type: "fill", source: "rings", minzoom: RINGS_FROM_ZOOM,
      paint: { "fill-color": colours.ring, "fill-opacity": 0.07 } },
    { id: "ring-edges", type: "line", source: "rings", minzoom: RINGS_FROM_ZOOM,
      paint: { "line-color": colours.ring, "line-opacity": 0.35, "line-width": 1 } },
    { id: "truth", type: "circle", source: "truth",
      paint: { "circle-radius": ["interpolate", ["linear"], ["zoom"], 12, 3, 18, 11],
        "circle-color": "transparent", "circle-stroke-color": colours.truth,
        "circle-stroke-width": 1.6 } },
    { id: "cameras", type: "symbol", source: "cameras",
      layout: { "icon-image": ["concat", name, ":", ["get", "kind"]],
        "icon-size": ["interpolate", ["linear"], ["zoom"], 3, 0.3, 12, 0.45, 17, 0.75, 20, 1],
        "icon-allow-overlap": true, "icon-ignore-placement": true } },
  ];
  if (settings.tiles) {
    sources.tiles = { type: "raster", tiles: [settings.tiles], tileSize: 256, maxzoom: 19 };
    layers.splice(3, 0, { id: "tiles", type: "raster", source: "tiles" });
  }
  return { version: 8, sources, layers };
}

const visible = () => [...cameras.values()].filter((f) => shown.has(f.properties.kind));

/** Circles of 1 sigma, in metres on the ground. */
function rings() {
  return visible().map((f) => {
    const [lon, lat] = f.geometry.coordinates;
    const north = f.properties.sigma_m / METRES_PER_DEGREE;
    const east = north / Math.cos((lat * Math.PI) / 180);
    const corners = Array.from({ length: 49 }, (_, i) => {
      const turn = (i / 48) * 2 * Math.PI;
      return [lon + east * Math.cos(turn), lat + north * Math.sin(turn)];
    });
    return { type: "Feature", properties: {}, geometry: { type: "Polygon", coordinates: [corners] } };
  });
}

/** Lines every so many round metres, so that an empty sheet still has a measure. */
function gridLines() {
  $("grid").textContent = "";
  if (!map || map.getZoom() < GRID_FROM_ZOOM) return [];
  const bounds = map.getBounds();
  const middle = map.getCenter().lat;
  const degree = METRES_PER_DEGREE * Math.cos((middle * Math.PI) / 180);
  const metresPerPixel = (40_075_017 * Math.cos((middle * Math.PI) / 180)) / (512 * 2 ** map.getZoom());
  const step = round(metresPerPixel * 70);
  $("grid").textContent = `Grid ${step >= 1000 ? `${step / 1000} km` : `${step} m`}`;
  const lines = [];
  const add = (low, high, stepDegrees, point) => {
    const first = Math.floor(low / stepDegrees);
    const last = Math.min(Math.ceil(high / stepDegrees), first + 200);
    for (let i = first; i <= last; i++) {
      lines.push({
        type: "Feature",
        properties: { major: i % 5 === 0 },
        geometry: { type: "LineString", coordinates: point(i * stepDegrees) },
      });
    }
  };
  const [w, s, e, n] = [bounds.getWest(), bounds.getSouth(), bounds.getEast(), bounds.getNorth()];
  add(s, n, step / METRES_PER_DEGREE, (lat) => [[w - 1, lat], [e + 1, lat]]);
  add(w, e, step / degree, (lon) => [[lon, s - 1], [lon, n + 1]]);
  return lines;
}

function round(metres) {
  const power = 10 ** Math.floor(Math.log10(metres));
  return [1, 2, 5, 10].find((factor) => factor * power >= metres) * power;
}

// --- the page ----------------------------------------------------------------------------------

let map = null;
const phone = matchMedia("(max-width: 44rem)");

function padding() {
  if (phone.matches) return { top: 50, left: 40, right: 40, bottom: $("panel").offsetHeight + 40 };
  return { top: 70, left: $("panel").offsetWidth + 80, right: 80, bottom: 70 };
}

function fit() {
  const points = [...cameras.values()].map((f) => f.geometry.coordinates);
  if (fitted || !points.length) return;
  fitted = true;
  const bounds = points.reduce((b, p) => b.extend(p), new maplibregl.LngLatBounds(points[0], points[0]));
  map.fitBounds(bounds, { padding: padding(), maxZoom: 18.5, animate: false });
}

let waiting = false;
function refresh() {
  if (waiting) return;
  waiting = true;
  setTimeout(() => {
    waiting = false;
    draw();
  }, 100);
}

function draw() {
  map.getSource("cameras")?.setData(collection(visible()));
  map.getSource("rings")?.setData(collection(rings()));
  map.getSource("truth")?.setData(truth && truthShown ? truth : collection([]));
  $("total").textContent = cameras.size.toLocaleString();
  $("empty").hidden = cameras.size > 0 || $("live").dataset.state === "wait";
  for (const kind of KINDS) {
    const n = [...cameras.values()].filter((f) => f.properties.kind === kind).length;
    document.querySelector(`[data-kind="${kind}"] .n`).textContent = n.toLocaleString();
  }
  list();
}

function list() {
  const bounds = map.getBounds();
  const centre = map.getCenter();
  const away = (f) => Math.hypot(
    (f.geometry.coordinates[0] - centre.lng) * Math.cos((centre.lat * Math.PI) / 180),
    f.geometry.coordinates[1] - centre.lat,
  );
  const inView = visible().filter((f) => bounds.contains(f.geometry.coordinates));
  inView.sort((a, b) => away(a) - away(b));
  const noun = cameras.size === 1 ? "camera" : "cameras";
  const part = inView.length === cameras.size ? "" : `, ${inView.length.toLocaleString()} in view`;
  $("in-view").textContent = noun + part;
  const focused = document.activeElement?.dataset?.id;
  $("list").replaceChildren(...inView.slice(0, LISTED).map(entry));
  if (focused) $("list").querySelector(`[data-id="${CSS.escape(focused)}"]`)?.focus();
  const rest = inView.length - LISTED;
  $("rest").textContent = restText(rest, inView.length);
}

function restText(rest, inView) {
  if (rest > 0) return `and ${rest.toLocaleString()} more; zoom in`;
  return inView || !cameras.size ? "" : "None. Move the map, or show more kinds.";
}

function entry(feature) {
  const p = feature.properties;
  const button = document.createElement("button");
  button.type = "button";
  button.dataset.id = feature.id;
  button.setAttribute("aria-current", String(feature.id === chosen));
  const name = document.createElement("span");
  name.textContent = `${NAMES[p.kind]} ±${metres(p.sigma_m)}`;
  const when = document.createElement("span");
  when.className = "when";
  when.textContent = month(p.last_seen);
  button.append(svg(p.kind), name, when);
  button.addEventListener("click", () => open(feature.id, true));
  const item = document.createElement("li");
  item.append(button);
  return item;
}

const metres = (value) => `${value < 10 ? value.toFixed(1) : Math.round(value)} m`;
const month = (text) => new Date(`${text}-15T12:00:00Z`).toLocaleDateString(undefined, { month: "short", year: "numeric" });

const popup = { box: null };

function open(id, move) {
  const feature = cameras.get(id);
  if (!feature) return;
  popup.box?.remove();
  chosen = id;
  const place = feature.geometry.coordinates;
  if (move) {
    if (phone.matches) expand(false);
    map.easeTo({ center: place, zoom: Math.max(map.getZoom(), 17), padding: phone.matches ? { bottom: 120 } : { left: 320 } });
  }
  popup.box = new maplibregl.Popup({ offset: 12, maxWidth: "20rem", focusAfterOpen: false })
    .setLngLat(place)
    .setDOMContent(card(feature))
    .addTo(map);
  popup.box.on("close", () => {
    chosen = null;
    mark();
  });
  chosen = id;
  mark();
}

function mark() {
  for (const button of $("list").querySelectorAll("button")) {
    button.setAttribute("aria-current", String(button.dataset.id === chosen));
  }
}

function card(feature) {
  const p = feature.properties;
  const box = document.createElement("div");
  box.className = "popup";
  const title = document.createElement("h3");
  title.append(svg(p.kind), NAMES[p.kind]);
  const facts = document.createElement("dl");
  const seen = p.first_seen === p.last_seen ? month(p.last_seen) : `${month(p.first_seen)} to ${month(p.last_seen)}`;
  const rows = [
    ["Place", `±${metres(p.sigma_m)}`],
    ["Height", p.height_m === undefined ? null : metres(p.height_m)],
    ["Seen", seen],
    ["Reports", p.confirmations],
    ["Basis", p.basis.present === "reviewer" ? "checked by a reviewer" : "reports, not checked"],
  ];
  for (const [name, value] of rows) {
    if (value === null || value === undefined) continue;
    const term = document.createElement("dt");
    const fact = document.createElement("dd");
    term.textContent = name;
    fact.textContent = value;
    facts.append(term, fact);
  }
  box.append(title, facts);
  return box;
}

function filters() {
  const chips = KINDS.map((kind) => chip(kind, NAMES[kind], (on) => {
    if (on) shown.add(kind);
    else shown.delete(kind);
  }));
  if (settings.truth) chips.push(chip("truth", "True place", (on) => { truthShown = on; }));
  $("kinds").append(...chips);
}

function chip(kind, name, set) {
  const label = document.createElement("label");
  label.dataset.kind = kind;
  const box = document.createElement("input");
  box.type = "checkbox";
  box.checked = true;
  box.addEventListener("change", () => {
    set(box.checked);
    draw();
  });
  const count = document.createElement("span");
  count.className = "n";
  label.append(box, svg(kind), name, count);
  return label;
}

function expand(on) {
  $("more").setAttribute("aria-expanded", String(on));
}

// --- data --------------------------------------------------------------------------------------

async function load() {
  const answer = await fetch("api/cameras.geojson", { cache: "no-cache" });
  if (!answer.ok) throw new Error(`the hub answers ${answer.status}`);
  const { features } = await answer.json();
  cameras.clear();
  for (const feature of features) cameras.set(feature.id, feature);
  if (settings.truth && !truth) truth = await (await fetch("api/truth.geojson")).json();
}

function live(state, text) {
  $("live").dataset.state = state;
  $("live").textContent = text;
}

function follow() {
  const events = new EventSource("api/changes");
  // Changes that come while everything is being loaded are applied after it.
  let pending = [];
  let loading = true;
  events.addEventListener("hello", async () => {
    loading = true;
    try {
      await load();
      live("on", "live");
    } catch (error) {
      live("off", "connection lost");
      console.warn(error);
    }
    loading = false;
    pending.forEach(apply);
    pending = [];
    draw();
    fit();
  });
  events.addEventListener("change", (event) => {
    const change = JSON.parse(event.data);
    if (loading) pending.push(change);
    else apply(change);
    refresh();
  });
  events.addEventListener("error", () => {
    live("off", "connection lost");
    // A browser gives up for good when the hub answers with an error; we do not.
    if (events.readyState === EventSource.CLOSED) setTimeout(follow, 3000);
  });
}

function apply(change) {
  if (change.change === "removed") cameras.delete(change.id);
  else cameras.set(change.id, change);
  if (change.change === "added") {
    $("announce").textContent = `A camera was added: ${NAMES[change.properties.kind]}.`;
    fit();
  }
  if (change.id === chosen) {
    if (change.change === "removed") popup.box?.remove();
    else popup.box?.setLngLat(change.geometry.coordinates).setDOMContent(card(change));
  }
}

// --- begin -------------------------------------------------------------------------------------

async function begin() {
  try {
    settings = await (await fetch("api/page.json")).json();
  } catch (error) {
    console.warn(error);
  }
  $("attribution").textContent = settings.attribution ? `· ${settings.attribution}` : "";
  filters();
  map = new maplibregl.Map({
    container: "map", style: style(), center: [10, 30], zoom: 1.6, maxZoom: 21.5,
    attributionControl: false, dragRotate: false, pitchWithRotate: false, renderWorldCopies: true,
    fadeDuration: 0,
  });
  window.scannerMap = map; // for the tests, which wait until it is drawn
  map.touchZoomRotate.disableRotation();
  map.keyboard.disableRotation();
  map.addControl(new maplibregl.NavigationControl({ showCompass: false }), "top-right");
  map.addControl(new maplibregl.ScaleControl({ maxWidth: 110, unit: "metric" }), phone.matches ? "top-left" : "bottom-right");
  map.on("styleimagemissing", ({ id }) => {
    const [name, kind] = id.split(":");
    if (PATHS[kind]) map.addImage(id, icon(kind, THEMES[name]), { pixelRatio: 2 });
  });
  map.on("moveend", () => {
    map.getSource("grid")?.setData(collection(gridLines()));
    list();
  });
  map.on("click", (event) => {
    const reach = 8;
    const { x, y } = event.point;
    const [hit] = map.queryRenderedFeatures([[x - reach, y - reach], [x + reach, y + reach]], { layers: ["cameras"] });
    if (hit) open(hit.properties.id ?? hit.id, false);
  });
  map.on("mousemove", "cameras", () => { map.getCanvas().style.cursor = "pointer"; });
  map.on("mouseleave", "cameras", () => { map.getCanvas().style.cursor = ""; });
  dark.addEventListener("change", () => {
    map.setStyle(style());
    document.querySelectorAll(".shape path").forEach(colour);
    draw();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") popup.box?.remove();
  });
  $("more").addEventListener("click", () => expand($("more").getAttribute("aria-expanded") !== "true"));
  map.once("load", follow);
}

begin();
