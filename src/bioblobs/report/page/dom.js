// The page's data, and elements made from it. Text from data only ever becomes text nodes and attributes.
const page = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);

/** An element: attributes, `on*` listeners, children (strings or nodes; null is left out). */
function h(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

function svg(tag, attributes = {}, ...children) {
  return filled(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

const percent = (share, digits = 0) => `${(100 * share).toFixed(digits)} %`;
/** A number with its sign, to digits that suit a scale of that size. */
function signed(value, scale) {
  const text = Math.abs(value).toFixed(scale >= 100 ? 0 : scale >= 1 ? 2 : 3);
  return Number(text) === 0 ? text : `${value < 0 ? "−" : "+"}${text}`;
}

const className = (id) => page.classes[id] ?? id;
const shortName = (id) => page.short[id] ?? className(id);
const shortNames = (ids) => ids.map(shortName).join("; ");
const classNames = (ids) => ids.map(className).join("; ");
const count = (number, one, many = `${one}s`) => `${number.toLocaleString("en")} ${number === 1 ? one : many}`;

/** A place in the page: `#view?key=value`. */
function href(view, parameters = {}) {
  const query = new URLSearchParams(parameters).toString();
  return `#${view}${query ? `?${query}` : ""}`;
}

const OUTCOMES = { right: "✓ right", partly: "~ partly right", wrong: "✗ wrong", unknown: "–" };
const outcomeBadge = (outcome) => h("span", { class: `badge badge-${outcome}` }, OUTCOMES[outcome]);
const proteinLink = (protein, blob = null) =>
  h("a", { href: href("protein", blob === null ? { id: protein.id } : { id: protein.id, blob }) }, protein.id);
