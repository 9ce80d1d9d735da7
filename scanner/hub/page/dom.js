// Small things that every part of the page needs: elements, numbers, months.

export const $ = (id) => document.getElementById(id);

/** An element with attributes (``text`` is its text, ``on*`` are listeners) and children. */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "text") element.textContent = value;
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

export const number = (value) => value.toLocaleString();
export const metres = (value) => (value < 10 ? `${value.toFixed(1)} m` : `${Math.round(value)} m`);
export const distance = (value) => (value < 1000 ? `${Math.round(value)} m` : `${(value / 1000).toFixed(1)} km`);
export const share = (part, whole) => (whole ? `${Math.round((100 * part) / whole)} %` : "0 %");

export function month(text) {
  return new Date(`${text}-15T12:00:00Z`).toLocaleDateString(undefined, { month: "short", year: "numeric" });
}

/** How long ago a month was, in words; a month is as fine as it is known. */
export function ago(text, now = new Date()) {
  const [year, of] = text.split("-").map(Number);
  const months = (now.getUTCFullYear() - year) * 12 + now.getUTCMonth() + 1 - of;
  if (months <= 0) return "this month";
  if (months < 24) return months === 1 ? "last month" : `${months} months ago`;
  return `${Math.floor(months / 12)} years ago`;
}

export function place(lon, lat, decimals = 4) {
  const part = (value, plus, minus) => `${Math.abs(value).toFixed(decimals)}° ${value < 0 ? minus : plus}`;
  return `${part(lat, "N", "S")}, ${part(lon, "E", "W")}`;
}

/** JSON from the hub; an error carries the hub's own words. */
export async function ask(path, options = {}) {
  const answer = await fetch(path, options);
  const body = answer.status === 204 ? null : await answer.json().catch(() => null);
  if (answer.ok) return body;
  const error = new Error(body?.error ? [body.error, body.hint].filter(Boolean).join("; ") : `the hub answers ${answer.status}`);
  error.status = answer.status;
  throw error;
}

/** Say something to those who do not see the page. */
export function announce(text) {
  $("announce").textContent = text;
}

/** Call ``action`` at most once in ``pause`` milliseconds, the last time included. */
export function paced(action, pause) {
  let waiting = null;
  return () => {
    waiting ??= setTimeout(() => {
      waiting = null;
      action();
    }, pause);
  };
}
