// What the map is drawn from: sources and layers.

import { KINDS, theme, themeName } from "./symbols.js";

export const EMPTY = { type: "FeatureCollection", features: [] };
export const collection = (features) => ({ type: "FeatureCollection", features });
export const POINTS_FROM = 13; // below, the tiles hold clusters
const DEEPEST = 16; // tiles of the hub; below they are drawn larger
const RINGS_FROM = 15;
const GRID_FROM = 11;
const EQUATOR_M = 40_075_016.7;

/** The whole style. ``scene`` holds what changes: filters, way, candidates, base, truth. */
export function style(scene) {
  const base = new URL(".", document.baseURI).href;
  const geojson = (data) => ({ type: "geojson", data });
  return {
    version: 8,
    sources: {
      world: geojson(`${base}page/vendor/world.json`),
      ...scene.base.sources,
      grid: geojson(scene.grid),
      cameras: {
        type: "vector", tiles: [`${base}api/tiles/{z}/{x}/{y}.mvt`], minzoom: 0, maxzoom: DEEPEST,
      },
      truth: geojson(scene.truth),
      way: geojson(scene.way),
      candidates: geojson(scene.candidates),
      chosen: geojson(scene.chosen),
    },
    layers: [...ground(scene), ...cameraLayers(scene), ...overlays()],
  };
}

function ground(scene) {
  const colours = theme();
  return [
    { id: "sea", type: "background", paint: { "background-color": colours.sea } },
    { id: "land", type: "fill", source: "world", filter: ["==", ["get", "of"], "land"],
      paint: { "fill-color": colours.land, "fill-antialias": false } },
    { id: "borders", type: "line", source: "world", filter: ["==", ["get", "of"], "border"],
      maxzoom: 9, paint: { "line-color": colours.border, "line-width": 0.8 } },
    ...scene.base.layers(colours),
    { id: "grid", type: "line", source: "grid", minzoom: GRID_FROM,
      paint: { "line-color": colours.grid, "line-opacity": ["case", ["get", "major"], 0.14, 0.06] } },
  ];
}

/** Metres at the equator, in tenths, as pixels: doubles with every zoom. */
function pixels(tenths, zoom) {
  return ["*", tenths, (512 * 2 ** zoom) / EQUATOR_M / 10];
}

function cameraLayers(scene) {
  const colours = theme();
  const of = { source: "cameras", "source-layer": "cameras", filter: cameraFilter(scene.filters) };
  const radius = ["interpolate", ["exponential", 2], ["zoom"],
    RINGS_FROM, pixels(["get", "radius_dm"], RINGS_FROM), 22, pixels(["get", "radius_dm"], 22)];
  return [
    { id: "sigma", type: "circle", ...of, minzoom: RINGS_FROM,
      paint: { "circle-radius": radius, "circle-color": colours.ink, "circle-opacity": 0.07,
        "circle-stroke-color": colours.ink, "circle-stroke-opacity": 0.35, "circle-stroke-width": 1 } },
    { id: "cones", type: "symbol", ...of, minzoom: RINGS_FROM,
      filter: ["all", cameraFilter(scene.filters), ["has", "direction"]],
      layout: { "icon-image": `${themeName()}:cone`, "icon-rotate": ["get", "direction"],
        "icon-rotation-alignment": "map", "icon-allow-overlap": true, "icon-ignore-placement": true,
        "icon-size": ["interpolate", ["linear"], ["zoom"], 15, 0.4, 18, 1, 21, 1.8] } },
    { id: "truth", type: "circle", source: "truth",
      paint: { "circle-radius": ["interpolate", ["linear"], ["zoom"], 12, 3, 18, 11],
        "circle-color": "transparent", "circle-stroke-color": colours.ink, "circle-stroke-width": 1.6 } },
    { id: "clusters", type: "symbol", source: "cameras", "source-layer": "clusters",
      filter: [">", clusterCount(scene.filters), 0],
      layout: { ...clusterLook(scene.filters), "icon-allow-overlap": true, "icon-ignore-placement": true } },
    { id: "cameras", type: "symbol", ...of,
      layout: { "icon-image": ["concat", `${themeName()}:`, ["get", "kind"]],
        "icon-size": ["interpolate", ["linear"], ["zoom"], 13, 0.42, 17, 0.75, 20, 1],
        "icon-allow-overlap": true, "icon-ignore-placement": true } },
  ];
}

function overlays() {
  const colours = theme();
  const seen = [">", ["get", "cameras"], 0];
  return [
    { id: "way-edge", type: "line", source: "way", filter: ["==", ["geometry-type"], "LineString"],
      layout: { "line-cap": "round", "line-join": "round" },
      paint: { "line-color": colours.halo, "line-width": 8 } },
    { id: "way-unseen", type: "line", source: "way", filter: ["==", ["get", "cameras"], 0],
      layout: { "line-cap": "round" }, paint: { "line-color": colours.unseen, "line-width": 4 } },
    { id: "way-seen", type: "line", source: "way", filter: seen,
      paint: { "line-color": colours.seen, "line-width": 5, "line-dasharray": [1.2, 0.6] } },
    { id: "way-draft", type: "line", source: "way", filter: ["==", ["get", "draft"], true],
      paint: { "line-color": colours.chosen, "line-width": 4 } },
    { id: "way-corners", type: "circle", source: "way", filter: ["==", ["geometry-type"], "Point"],
      paint: { "circle-radius": 5, "circle-color": colours.chosen, "circle-stroke-color": colours.halo,
        "circle-stroke-width": 2 } },
    { id: "candidates", type: "circle", source: "candidates",
      paint: { "circle-radius": 7, "circle-color": "transparent", "circle-stroke-width": 2.5,
        "circle-stroke-color": colours.candidate } },
    { id: "chosen", type: "circle", source: "chosen",
      paint: { "circle-radius": 17, "circle-color": "transparent",
        "circle-stroke-color": colours.chosen, "circle-stroke-width": 3 } },
  ];
}

// --- filters as the map understands them ---------------------------------------------------------

const BANDS = ["1", "2", "3-5", "6+"];

export function cameraFilter({ kinds, since, reports }) {
  const rules = ["all", ["in", ["get", "kind"], ["literal", [...kinds]]]];
  if (since) rules.push([">=", ["get", "month"], since]);
  if (reports !== "1") rules.push(["in", ["get", "reports"], ["literal", BANDS.slice(BANDS.indexOf(reports))]]);
  return rules;
}

/** How many cameras of the kinds shown a cluster holds. */
export function clusterCount({ kinds }) {
  return ["+", 0, ...[...kinds].map((kind) => ["coalesce", ["get", kind], 0])];
}

/** A single camera looks like one, more like their number. */
export function clusterLook(filters) {
  const n = clusterCount(filters);
  const text = ["case",
    ["<", n, 1000], ["to-string", n],
    ["<", n, 10_000], ["concat", ["to-string", ["/", ["round", ["/", n, 100]], 10]], "k"],
    ["<", n, 1_000_000], ["concat", ["to-string", ["round", ["/", n, 1000]]], "k"],
    ["concat", ["to-string", ["/", ["round", ["/", n, 100_000]], 10]], "M"]];
  const single = KINDS.filter((kind) => filters.kinds.has(kind))
    .flatMap((kind) => [["has", kind], `${themeName()}:${kind}`]);
  const many = ["concat", `${themeName()}:n:`, text];
  return {
    "icon-image": single.length ? ["case", [">", n, 1], many, ...single, many] : many,
    "icon-size": ["case", [">", n, 1], ["interpolate", ["linear"], ["log10", ["max", n, 1]], 0, 0.8, 4, 1.15], 0.5],
    "symbol-sort-key": n,
  };
}

/** Show what the filters let through. */
export function applyFilters(map, filters) {
  const cameras = cameraFilter(filters);
  map.setFilter("cameras", cameras);
  map.setFilter("sigma", cameras);
  map.setFilter("cones", ["all", cameras, ["has", "direction"]]);
  map.setFilter("clusters", [">", clusterCount(filters), 0]);
  for (const [name, value] of Object.entries(clusterLook(filters))) map.setLayoutProperty("clusters", name, value);
}
