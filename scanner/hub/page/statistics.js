// Counts of the map in view and of the whole: by kind, and by the month they came on record.

import { $, ask, make, month, number } from "./dom.js";
import { KINDS, NAMES, svg } from "./symbols.js";

const MONTHS_SHOWN = 24;

/** The counts of the whole map. */
export const whole = () => ask("api/statistics", { cache: "no-cache" });

/** Fills the panel for the map in view. */
export async function statistics(map) {
  const bounds = map.getBounds();
  const inside = (value, limit) => Math.max(-limit, Math.min(limit, value));
  const wide = bounds.getEast() - bounds.getWest() >= 360;
  const box = [
    wide ? -180 : wrapped(bounds.getWest()), inside(bounds.getSouth(), 90),
    wide ? 180 : wrapped(bounds.getEast()), inside(bounds.getNorth(), 90),
  ].map((degrees) => degrees.toFixed(6));
  try {
    const counts = await ask(`api/statistics?bbox=${box}`, { cache: "no-cache" });
    const density = counts.area_km2 > 0 ? counts.cameras / counts.area_km2 : 0;
    const words = `${number(counts.cameras)} on record in ${number(Number(counts.area_km2.toPrecision(3)))} km²`;
    $("statistics-scope").textContent = "The map in view";
    $("statistics-words").textContent = counts.cameras
      ? `${words}: ${density < 10 ? density.toFixed(2) : Math.round(density)} per km².` : `${words}.`;
    tables(counts);
  } catch (error) {
    if (error.status !== 400) throw error;
    const counts = await whole();
    $("statistics-scope").textContent = "The whole map";
    $("statistics-words").textContent = `${number(counts.cameras)} on record. Zoom in for the counts of an area.`;
    tables(counts);
  }
}

const wrapped = (lon) => ((((lon + 180) % 360) + 360) % 360) - 180;

function tables(counts) {
  const most = Math.max(1, ...Object.values(counts.kinds));
  $("statistics-kinds").replaceChildren(...KINDS.filter((kind) => counts.kinds[kind])
    .map((kind) => row([svg(kind), NAMES[kind]], counts.kinds[kind], most)));
  const months = Object.entries(counts.first_seen).slice(-MONTHS_SHOWN)
    .map(([name, kinds]) => [name, Object.values(kinds).reduce((a, b) => a + b, 0)]);
  const peak = Math.max(1, ...months.map(([, count]) => count));
  $("statistics-months").replaceChildren(...months.reverse().map(([name, count]) => row([month(name)], count, peak)));
}

function row(name, count, most) {
  const bar = make("span", { "aria-hidden": "true" });
  bar.style.width = `${(100 * count) / most}%`;
  return make("tr", {}, make("th", { scope: "row" }, ...name), make("td", { class: "count", text: number(count) }),
    make("td", { class: "bar" }, bar));
}
