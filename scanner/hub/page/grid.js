// Lines every so many round metres, so that an empty sheet still has a measure.

import { $ } from "./dom.js";
import { EMPTY, collection } from "./layers.js";

const FROM_ZOOM = 11;
const METRES_PER_DEGREE = 111_320;
const EQUATOR_M = 40_075_016.7;
const WIDE_PX = 70;
const LINES_MAX = 200;

export function grid(map) {
  $("grid").textContent = "";
  if (map.getZoom() < FROM_ZOOM) return EMPTY;
  const bounds = map.getBounds();
  const across = Math.cos((map.getCenter().lat * Math.PI) / 180);
  const step = round((EQUATOR_M * across * WIDE_PX) / (512 * 2 ** map.getZoom()));
  $("grid").textContent = `Grid ${step >= 1000 ? `${step / 1000} km` : `${step} m`}`;
  const [w, s, e, n] = [bounds.getWest(), bounds.getSouth(), bounds.getEast(), bounds.getNorth()];
  return collection([
    ...lines(s, n, step / METRES_PER_DEGREE, (lat) => [[w - 1, lat], [e + 1, lat]]),
    ...lines(w, e, step / METRES_PER_DEGREE / across, (lon) => [[lon, s - 1], [lon, n + 1]]),
  ]);
}

function lines(low, high, step, ends) {
  const first = Math.floor(low / step);
  const many = Math.min(Math.ceil(high / step) - first + 1, LINES_MAX);
  return Array.from({ length: many }, (_, i) => ({
    type: "Feature",
    properties: { major: (first + i) % 5 === 0 },
    geometry: { type: "LineString", coordinates: ends((first + i) * step) },
  }));
}

function round(metres) {
  const power = 10 ** Math.floor(Math.log10(metres));
  return [1, 2, 5, 10].find((factor) => factor * power >= metres) * power;
}
