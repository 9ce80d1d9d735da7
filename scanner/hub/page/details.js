// What is known of one camera, on what it rests, and how old it is.

import { $, ago, ask, make, metres, month, place } from "./dom.js";
import { NAMES, svg } from "./symbols.js";

const OLD_MONTHS = 24;
const POINTS = ["north", "north-east", "east", "south-east", "south", "south-west", "west", "north-west"];
const BASES = {
  reviewer: "checked by a reviewer", reports: "reports, not checked", unknown: "not known",
};

/** Reads a camera and shows it; returns its feature, null if it is gone. */
export async function details(id) {
  let camera = null;
  try {
    camera = await ask(`api/camera/${encodeURIComponent(id)}`);
  } catch (error) {
    $("details-body").replaceChildren(make("p", { text: error.message }));
    $("details-title").textContent = "No longer on the map";
    $("details").hidden = false;
    return null;
  }
  $("details-title").replaceChildren(svg(camera.properties.kind), NAMES[camera.properties.kind]);
  $("details-body").replaceChildren(...[facts(camera), freshness(camera.properties)].filter(Boolean));
  $("details").hidden = false;
  return camera;
}

export function closeDetails() {
  $("details").hidden = true;
}

function facts({ properties: p, geometry }) {
  const rows = [
    ["On record because", BASES[p.basis.present]],
    ["Kind", p.kind === "unknown" ? "reports disagree, or do not say" : BASES[p.basis.kind]],
    ["Reports", p.confirmations],
    ["Last seen", `${month(p.last_seen)}, ${ago(p.last_seen)}`],
    ["First seen", month(p.first_seen)],
    ["Place", `${place(...geometry.coordinates)}, ±${metres(p.sigma_m)}`],
    ["Looks", p.direction_deg === undefined ? null : looks(p.direction_deg)],
    ["Height", p.height_m === undefined ? null : metres(p.height_m)],
    ["Reads plates", p.basis.alpr === "unknown" ? null : BASES[p.basis.alpr]],
    ["Maker", p.tags.manufacturer],
    ["Operator", p.tags.operator],
  ];
  return make("dl", {}, ...rows.filter(([, value]) => value)
    .flatMap(([name, value]) => [make("dt", { text: name }), make("dd", { text: value })]));
}

function looks(degrees) {
  return `${POINTS[Math.round(degrees / 45) % 8]} (${Math.round(degrees)}°)`;
}

function freshness(p) {
  const old = (Date.now() - new Date(`${p.last_seen}-15`)) / (30.4 * 86_400_000) > OLD_MONTHS;
  if (p.status === "gone") return make("p", { class: "stale", text: "Reported gone." });
  return old ? make("p", { class: "stale", text: "Not seen for long: it may be gone, or nobody has passed." }) : null;
}
