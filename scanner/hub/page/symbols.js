// How cameras look: one shape and one colour per kind, light and dark.

export const KINDS = ["bullet", "dome", "ptz", "alpr", "unknown"];
export const NAMES = {
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
    sea: "#dfe5e8", land: "#f4f3ef", border: "#c4c0b4", grid: "#1d2328", halo: "#ffffff",
    ink: "#1d2328", cluster: "#26313a", onCluster: "#ffffff", chosen: "#0b62c4",
    seen: "#b3261e", unseen: "#1d7a46", candidate: "#b3261e",
    water: "#c9d7de", park: "#e3ead9", road: "#ffffff", house: "#e4e0d6",
    kinds: { bullet: "#0066a8", dome: "#c2410c", ptz: "#86339c", alpr: "#00724f", unknown: "#5b646b" },
  },
  dark: {
    sea: "#0b0f11", land: "#171c1f", border: "#414b52", grid: "#e8e6e0", halo: "#0e1214",
    ink: "#e8e6e0", cluster: "#d9dee2", onCluster: "#10161a", chosen: "#7db7ff",
    seen: "#ff8a80", unseen: "#6fcf97", candidate: "#ff8a80",
    water: "#0b1418", park: "#182119", road: "#2d353a", house: "#20272b",
    kinds: { bullet: "#5cb6f2", dome: "#ff9d57", ptz: "#d59ae8", alpr: "#4fd1a5", unknown: "#a5afb6" },
  },
};

export const dark = matchMedia("(prefers-color-scheme: dark)");
export const themeName = () => (dark.matches ? "dark" : "light");
export const theme = () => THEMES[themeName()];

/** The shape of a kind beside text. */
export function svg(kind) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  element.setAttribute("viewBox", "0 0 24 24");
  element.setAttribute("class", `shape of-${kind}`);
  element.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", PATHS[kind === "truth" ? "dome" : kind]);
  element.append(path);
  return element;
}

/** The picture that the style asks for by name: ``light:dome``, ``light:cone``, ``light:n:1.2k``. */
export function picture(id) {
  const [name, what, text] = id.split(":");
  const colours = THEMES[name];
  if (!colours) return null;
  if (what === "n") return count(text, colours);
  if (what === "cone") return cone(colours);
  return PATHS[what] ? icon(what, colours) : null;
}

function canvas(width, height, draw) {
  const scale = 2;
  const sheet = document.createElement("canvas");
  sheet.width = width * scale;
  sheet.height = height * scale;
  const pen = sheet.getContext("2d");
  pen.scale(scale, scale);
  draw(pen);
  return pen.getImageData(0, 0, sheet.width, sheet.height);
}

const icon = (kind, colours) => canvas(28, 28, (pen) => {
  pen.translate(2, 2);
  const path = new Path2D(PATHS[kind]);
  pen.lineJoin = "round";
  pen.lineWidth = 4;
  pen.strokeStyle = colours.halo;
  pen.stroke(path);
  pen.fillStyle = colours.kinds[kind];
  pen.fill(path);
});

/** What a camera may see: a sector to the north, its point in the middle of the picture. */
const cone = (colours) => canvas(96, 96, (pen) => {
  const light = pen.createRadialGradient(48, 48, 8, 48, 48, 46);
  light.addColorStop(0, `${colours.ink}88`);
  light.addColorStop(1, `${colours.ink}0c`);
  pen.fillStyle = light;
  pen.beginPath();
  pen.moveTo(48, 48);
  pen.arc(48, 48, 46, (-135 * Math.PI) / 180, (-45 * Math.PI) / 180);
  pen.fill();
});

function count(text, colours) {
  const width = Math.max(26, 12 + 7.5 * text.length);
  return canvas(width, 26, (pen) => {
    pen.fillStyle = colours.cluster;
    pen.strokeStyle = colours.halo;
    pen.lineWidth = 2;
    pen.beginPath();
    pen.roundRect(1, 1, width - 2, 24, 12);
    pen.fill();
    pen.stroke();
    pen.fillStyle = colours.onCluster;
    pen.font = "600 12px system-ui, sans-serif";
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    pen.fillText(text, width / 2, 13.5);
  });
}
