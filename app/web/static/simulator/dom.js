// Elements made by hand: text only ever becomes text, never markup.

const SVG = "http://www.w3.org/2000/svg";

export const byId = (id) => document.getElementById(id);

export function element(tag, attributes = {}, ...children) {
  return furnish(document.createElement(tag), attributes, children);
}

export function drawing(tag, attributes = {}, ...children) {
  return furnish(document.createElementNS(SVG, tag), attributes, children);
}

/** An icon: one stroked path in a box of 20 by 20. */
export function icon(path) {
  return drawing("svg", { viewBox: "0 0 20 20", "aria-hidden": "true", class: "icon" }, drawing("path", { d: path }));
}

export const ICONS = {
  yes: "M4.500 10.500l3.500 3.500 7.500-8",
  no: "M5.500 5.500l9 9M14.500 5.500l-9 9",
  wait: "M10 3a7 7 0 1 0 .010 0M10 6.500v3.700l2.400 1.400",
};

function furnish(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) {
      node.setAttribute(name, value === true ? "" : value);
    }
  }
  node.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
  return node;
}
