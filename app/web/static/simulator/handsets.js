// The telephones on the table: which there are, which one is in hand. Kept in this browser.

import { byId, element, icon, ICONS } from "./dom.js";
import { gateway } from "./gateway.js";
import { say, spaced } from "./words.js";

const KEPT_AS = "simulator.handsets";
const MOST = 8;
const SAMPLES = [
  { name: "Anna", number: "+393331234567" },
  { name: "Bruno", number: "+393477654321" },
  { name: "Carla", number: "+393205550142" },
  { name: "Dario", number: "+393662148890" },
  { name: "Elena", number: "+393891203344" },
  { name: "Fabio", number: "+393519876543" },
];

let handsets = kept() ?? SAMPLES.slice(0, 3);
let inHand = handsets[0].number;
let refusals = new Map(); // number: why marketing does not get through, or null
let onTake = () => {};

export const all = () => handsets.map((handset) => handset.number);
export const others = () => all().filter((number) => number !== inHand);
export const current = () => handsets.find((handset) => handset.number === inHand);

/** Set up the row of handsets; `taken` is called when another one is taken in hand. */
export function start(taken) {
  onTake = taken;
  byId("add").addEventListener("click", openDialog);
  byId("add-cancel").addEventListener("click", () => byId("adding").close());
  byId("add-form").addEventListener("submit", (event) => {
    event.preventDefault();
    add(byId("new-number").value);
  });
  render();
}

/** Show which handsets messages get through to, as the state of the one in hand tells. */
export function mark(state) {
  const now = new Map(state.others.map(({ number, reason }) => [number, reason]));
  now.set(state.number, state.refusals.marketing);
  const isNews = [...now].some(([number, reason]) => refusals.get(number) !== reason);
  refusals = now;
  if (isNews) render();
}

function take(number) {
  inHand = number;
  render();
  onTake();
}

async function add(spelling, name) {
  const fault = byId("new-number-fault");
  fault.textContent = "";
  try {
    const { number } = await gateway.state(spelling, []);
    fault.textContent = whyNot(number);
    if (!fault.textContent) put({ name: name ?? spaced(number), number });
  } catch (refusal) {
    fault.textContent = refusal.status ? say("handsets.invalid") : say("offline");
  }
}

function whyNot(number) {
  if (all().includes(number)) return say("handsets.already");
  return handsets.length < MOST ? "" : say("handsets.full");
}

function put(handset) {
  handsets = [...handsets, handset];
  keep();
  byId("adding").close();
  take(handset.number);
  focusInHand();
}

function remove(number) {
  handsets = handsets.filter((handset) => handset.number !== number);
  keep();
  take(handsets[0].number);
  focusInHand();
}

function focusInHand() {
  byId("handsets").querySelector("[aria-current]").focus();
}

function render() {
  // What had the focus is made anew; a keyboard must not lose its place.
  const focused = document.activeElement?.closest("#handsets button")?.dataset.number;
  byId("handsets").replaceChildren(...handsets.map(item));
  if (focused) byId("handsets").querySelector(`[data-number="${focused}"]`)?.focus();
  byId("all-phones").textContent = say("script.all", { count: handsets.length });
  byId("handsets").querySelector("[aria-current]").scrollIntoView({ block: "nearest", inline: "nearest" });
}

function item({ name, number }) {
  const isInHand = number === inHand;
  const refusal = refusals.get(number);
  const standing = refusal === "suppressed" ? "closed" : refusal ? "waiting" : "open";
  const select = element(
    "button",
    { type: "button", class: "select", "data-number": number, "aria-current": isInHand && "true" },
    element("span", { class: `dot ${standing}`, "aria-hidden": "true" }),
    element("span", { "aria-hidden": "true" }, name),
    element("span", { class: "unseen" }, say(`handsets.${standing}`, { name })),
  );
  select.addEventListener("click", () => take(number));
  return element("li", {}, select, isInHand && handsets.length > 1 ? removal(name, number) : null);
}

function removal(name, number) {
  const label = say("handsets.remove", { name });
  const button = element("button", { type: "button", class: "remove", "aria-label": label, title: label }, icon(ICONS.no));
  button.addEventListener("click", () => remove(number));
  return button;
}

function openDialog() {
  byId("new-number").value = "";
  byId("new-number-fault").textContent = "";
  byId("samples").replaceChildren(...SAMPLES.filter(({ number }) => !all().includes(number)).map(sample));
  byId("adding").showModal();
}

function sample({ name, number }) {
  const button = element("button", { type: "button" }, element("b", {}, name), element("span", {}, spaced(number)));
  button.addEventListener("click", () => add(number, name));
  return button;
}

function kept() {
  try {
    const found = JSON.parse(localStorage.getItem(KEPT_AS));
    const isUsable = found.every(({ name, number }) => typeof name === "string" && /^\+\d+$/.test(number));
    return isUsable && found.length > 0 ? found.slice(0, MOST) : null;
  } catch {
    return null; // nothing kept, or no place to keep it
  }
}

function keep() {
  try {
    localStorage.setItem(KEPT_AS, JSON.stringify(handsets));
  } catch {
    // A browser that keeps nothing shows the samples again next time.
  }
}
