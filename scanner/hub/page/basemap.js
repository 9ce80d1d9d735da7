// The ground below the cameras: nothing but land and sea, a raster, or a PMTiles file.
/* global pmtiles, maplibregl */

const NONE = { sources: {}, layers: () => [] };
const VECTOR = 1; // tile type of a PMTiles header (PMTiles specification 3, section 3.2)

/** Sources and layers of the configured basemap; nothing where it cannot be read. */
export async function basemap(tiles) {
  if (!tiles) return NONE;
  if (!tiles.endsWith(".pmtiles")) return raster({ tiles: [tiles], maxzoom: 19 });
  await script("page/vendor/pmtiles.js");
  const url = new URL(tiles, document.baseURI).href;
  const archive = new pmtiles.PMTiles(url);
  const protocol = new pmtiles.Protocol();
  protocol.add(archive);
  maplibregl.addProtocol("pmtiles", protocol.tile);
  const header = await archive.getHeader();
  if (header.tileType !== VECTOR) return raster({ url: `pmtiles://${url}` });
  return { sources: { base: { type: "vector", url: `pmtiles://${url}` } }, layers: streets };
}

function raster(source) {
  return {
    sources: { base: { type: "raster", tileSize: 256, ...source } },
    layers: () => [{ id: "base", type: "raster", source: "base" }],
  };
}

/** Layers by the names that Protomaps and OpenMapTiles use; those that are not there stay empty. */
function streets(colours) {
  const fill = (layer, colour, more = {}) => (
    { id: `base-${layer}`, type: "fill", source: "base", "source-layer": layer, paint: { "fill-color": colour }, ...more });
  const line = (layer, colour, width) => (
    { id: `base-${layer}`, type: "line", source: "base", "source-layer": layer,
      paint: { "line-color": colour, "line-width": ["interpolate", ["exponential", 1.6], ["zoom"], 8, 0.3, 18, width] } });
  const areas = ["==", ["geometry-type"], "Polygon"];
  return [
    fill("earth", colours.land), fill("landcover", colours.park, { maxzoom: 12 }),
    fill("water", colours.water, { filter: areas }), fill("park", colours.park),
    fill("buildings", colours.house, { minzoom: 13 }), fill("building", colours.house, { minzoom: 13 }),
    line("roads", colours.road, 12), line("transportation", colours.road, 12),
    line("boundaries", colours.border, 2), line("boundary", colours.border, 2),
  ];
}

function script(source) {
  return new Promise((resolve, reject) => {
    const element = document.createElement("script");
    element.src = source;
    element.addEventListener("load", resolve);
    element.addEventListener("error", () => reject(new Error(`${source} cannot be read`)));
    document.head.append(element);
  });
}
