// Exposure of a way: drawn on the map or dropped as GPX, answered by the hub, kept by nobody.

import { $, announce, ask, distance, make, metres, share } from "./dom.js";
import { EMPTY, collection } from "./layers.js";
import { NAMES, svg } from "./symbols.js";

const LISTED = 100;
const BYTES_MAX = 5_000_000;

/** The panel's controls; returns what the map needs: whether a click belongs to the drawing. */
export function exposure(page) {
  const corners = [];
  let drawing = false;
  let last = null; // GPX of the way shown

  const draft = () => {
    const line = corners.length > 1
      ? [{ type: "Feature", properties: { draft: true }, geometry: { type: "LineString", coordinates: corners } }] : [];
    const dots = corners.map((at) => ({ type: "Feature", properties: {}, geometry: { type: "Point", coordinates: at } }));
    page.set("way", collection([...line, ...dots]));
    $("way-finish").disabled = corners.length < 2;
    $("way-back").disabled = !corners.length;
  };

  const draw = (on) => {
    drawing = on;
    $("way-tools").hidden = !on;
    $("way-draw").hidden = on;
    page.map.getContainer().classList.toggle("drawing", on);
    $("crosshair").hidden = !on;
  };

  const add = (lngLat) => {
    corners.push([lngLat.lng, lngLat.lat]);
    draft();
    announce(`Point ${corners.length} set.`);
  };

  const clear = () => {
    corners.length = 0;
    last = null;
    draw(false);
    page.set("way", EMPTY);
    $("way-result").hidden = true;
  };

  const send = async (gpx, fit) => {
    last = gpx;
    $("way-words").textContent = "Asking the hub …";
    $("way-result").hidden = false;
    $("way-cameras").replaceChildren();
    try {
      const found = await ask(`api/exposure?reach_m=${$("way-reach").value}`, {
        method: "POST", body: gpx, headers: { "Content-Type": "application/gpx+xml" },
      });
      if (last === gpx) show(found, fit);
    } catch (error) {
      $("way-words").textContent = error.message;
    }
  };

  const show = (found, fit) => {
    page.set("way", found.way);
    const count = found.cameras.features.length;
    const who = count === 1 ? "1 camera" : `${count} cameras`;
    $("way-words").textContent = count
      ? `Of ${distance(found.length_m)}, ${distance(found.seen_m)} (${share(found.seen_m, found.length_m)}) may be seen by ${who} on record. Longest stretch unseen: ${distance(found.longest_unseen_m)}.`
      : `No camera on record may see any of these ${distance(found.length_m)}.`;
    announce($("way-words").textContent);
    $("way-cameras").replaceChildren(...found.cameras.features.slice(0, LISTED).map((camera) => entry(camera, page)));
    if (fit) page.fit(found.way.features.flatMap((part) => part.geometry.coordinates));
  };

  const read = async (file) => {
    if (!file) return;
    page.show("route");
    clear();
    if (file.size > BYTES_MAX) {
      $("way-result").hidden = false;
      $("way-words").textContent = "The file is larger than 5 MB; send a shorter way.";
      return;
    }
    await send(await file.text(), true);
  };

  $("way-draw").addEventListener("click", () => {
    clear();
    draw(true);
    draft();
    page.collapse();
    page.map.getCanvas().focus();
    announce("Drawing. Move the map, Enter sets a point at its middle, Backspace takes one back.");
  });
  $("way-add").addEventListener("click", () => add(page.map.getCenter()));
  $("way-back").addEventListener("click", () => {
    corners.pop();
    draft();
  });
  $("way-finish").addEventListener("click", () => {
    draw(false);
    page.show("route");
    send(gpxOf(corners), false);
  });
  $("way-clear").addEventListener("click", clear);
  $("way-reach").addEventListener("change", () => {
    if (last) send(last, false);
  });
  $("way-file").addEventListener("change", () => {
    read($("way-file").files[0]);
    $("way-file").value = "";
  });
  page.map.getCanvas().addEventListener("keydown", (event) => {
    if (!drawing) return;
    if (event.key === "Enter") add(page.map.getCenter());
    else if (event.key === "Backspace" && corners.length) $("way-back").click();
    else if (event.key === "Escape") clear();
    else return;
    event.preventDefault();
  });
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    read(event.dataTransfer.files[0]);
  });

  return { takes: () => drawing, add };
}

function entry(camera, page) {
  const p = camera.properties;
  const at = camera.geometry.coordinates;
  return make("li", {}, make("button", { type: "button", onclick: () => page.open(camera.id, at) },
    svg(p.kind), make("span", { text: `${NAMES[p.kind]}, sees ${metres(p.seen_m)}` }),
    make("span", { class: "when", text: `from ${metres(p.nearest_m)}` })));
}

/** A GPX 1.1 file of one route. */
function gpxOf(corners) {
  const points = corners.map(([lon, lat]) => `<rtept lat="${lat.toFixed(7)}" lon="${lon.toFixed(7)}"/>`);
  return `<gpx version="1.1" creator="page" xmlns="http://www.topografix.com/GPX/1/1"><rte>${points.join("")}</rte></gpx>`;
}
