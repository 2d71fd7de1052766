// The telephone itself: what is on its screen, and what the person texts.

import { byId, element } from "./dom.js";
import { hour, say, spaced } from "./words.js";

const PAUSE = 10 * 60 * 1000; // after which a conversation shows the time again

let shown = null; // the number on the screen
let last = null; // the newest message on it
let sids = new Set();

/** Set up the keyboard; `texted(body)` is called with what the person sends. */
export function start(texted) {
  const field = byId("say");
  byId("text-form").addEventListener("submit", (event) => {
    event.preventDefault();
    if (!field.value.trim()) return field.focus();
    texted(field.value);
    field.value = "";
    fit(field);
  });
  field.addEventListener("input", () => fit(field));
  field.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    byId("text-form").requestSubmit();
  });
  byId("suggestions").addEventListener("click", (event) => {
    const chip = event.target.closest("button");
    if (chip) texted(chip.dataset.text);
  });
  tick();
}

/** Take another handset in hand: an empty screen until its state is known. */
export function hold({ name, number }) {
  byId("phone-title").textContent = say("phone.title", { name });
  byId("number").textContent = spaced(number);
  const chat = byId("conversation");
  // What was said earlier is there to be read, not to be announced as if it came now.
  chat.setAttribute("aria-live", "off");
  chat.replaceChildren();
  [shown, last, sids] = [null, null, new Set()];
}

/** Bring the screen up to date: only what is new is added, so that it alone is announced. */
export function show(state) {
  const chat = byId("conversation");
  const isNew = shown !== state.number;
  shown = state.number;
  const news = state.conversation.filter((message) => !sids.has(message.sid));
  if (news.length > 0) chat.querySelector(".empty")?.remove();
  for (const message of news) append(chat, message, isNew);
  if (sids.size === 0 && !chat.firstChild) chat.append(element("p", { class: "empty" }, say("phone.empty")));
  if (news.length > 0) chat.scrollTop = chat.scrollHeight;
  suggestCode();
  if (isNew) setTimeout(() => chat.setAttribute("aria-live", "polite"), 100);
}

function append(chat, message, isOld) {
  if (!last || new Date(message.created_at) - new Date(last.created_at) > PAUSE) {
    chat.append(element("p", { class: "pause" }, hour(message.created_at)));
  }
  const isPerson = message.direction === "inbound";
  const author = isPerson ? say("phone.person") : document.body.dataset.brand;
  chat.append(
    element(
      "div",
      { class: `bubble ${isPerson ? "mine" : "theirs"} ${isOld ? "" : "new"}` },
      element("span", { class: "unseen" }, `${author}: `),
      element("span", {}, message.body),
      element("span", { class: "unseen" }, `, ${hour(message.created_at)}`),
    ),
  );
  sids.add(message.sid);
  last = message;
}

/** As phones do: a code that has just come is one tap away. */
function suggestCode() {
  const [code] = (last?.direction !== "inbound" && last?.body.match(/\b\d{6}\b/)) || [];
  const chip = byId("code");
  chip.hidden = !code;
  chip.dataset.text = chip.textContent = code ?? "";
  chip.setAttribute("aria-label", say("phone.code", { code }));
}

function fit(field) {
  field.style.height = "auto";
  field.style.height = `${Math.min(field.scrollHeight, 110)}px`;
}

function tick() {
  byId("clock").textContent = hour();
  setTimeout(tick, 60_000 - (Date.now() % 60_000));
}
