// The campaign script's side: what it sends, and what it is told.

import { byId, element, icon, ICONS } from "./dom.js";
import { exactTime, explain, say, spaced } from "./words.js";

const SHOWN = 4;
const LOST = new Set(["refused", "failed", "undelivered", "canceled"]);
const WAITING = new Set(["queued", "claimed", "scheduled", "sent", "unknown"]);

/** Set up the form; `send(body, purpose, toAll)` gives the results: [{number, receipt, refusal}]. */
export function start(send) {
  const form = byId("send-form");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const { purpose, target } = Object.fromEntries(new FormData(form));
    const body = byId("message").value;
    if (!body.trim()) return byId("message").focus();
    const results = await send(body, purpose, target === "all");
    if (results.length > 0) report(results, body, purpose);
  });
}

export function show(state) {
  const sends = state.sends.slice(-SHOWN).reverse();
  byId("sends").replaceChildren(...sends.map(sent));
  if (sends.length === 0) byId("sends").append(element("li", { class: "empty" }, say("script.empty")));
}

/** Another phone is in hand: what the script was told about the last one is of no use there. */
export function forget() {
  byId("outcome").textContent = "";
  byId("terminal").hidden = true;
}

function report(results, body, purpose) {
  const refused = results.filter((result) => result.refusal);
  const outcome = byId("outcome");
  outcome.className = `outcome ${tone(refused.length, results.length)}`;
  outcome.textContent = results.length > 1 ? summary(results, refused) : single(results[0]);
  byId("terminal").hidden = false;
  byId("terminal").replaceChildren(...results.flatMap((result) => call(result, body, purpose)));
}

function tone(refused, all) {
  if (refused === 0) return "good";
  return refused === all ? "bad" : "wait";
}

function summary(results, refused) {
  const count = results.length;
  return say("script.bulk", { count, arrived: count - refused.length, refused: refused.length });
}

function single({ refusal }) {
  if (!refusal) return say("script.passed");
  return refusal.reason ? say("script.refused", { reason: explain("reasons", refusal.reason) }) : refusal.message;
}

/** The same as a Python script would see it. */
function call({ number, receipt, refusal }, body, purpose) {
  const asked = purpose === "marketing" ? "" : `, purpose="${purpose}"`;
  const answer = refusal
    ? element("span", { class: "bad" }, `RecipientRefused: 21610 (${refusal.reason ?? refusal.message})\n`)
    : element("span", { class: "good" }, `Receipt(status="${receipt.status}", segments=${receipt.segments})\n`);
  const text = body.length > 24 ? `${body.slice(0, 23)}…` : body;
  return [`>>> messages.create(to="${spaced(number)}", body=${JSON.stringify(text)}${asked})\n`, answer];
}

function sent(row) {
  const [sign, tone] = LOST.has(row.status)
    ? [ICONS.no, "bad"]
    : WAITING.has(row.status) ? [ICONS.wait, "wait"] : [ICONS.yes, "good"];
  return element(
    "li",
    { class: tone },
    icon(sign),
    element("p", {}, element("b", {}, outcomeOf(row)), element("span", {}, row.body ?? say("script.not_kept"))),
    element("p", { class: "small" }, element("time", { datetime: row.created_at }, exactTime(row.created_at)), ` · ${say(`script.${row.purpose}`)}`),
  );
}

function outcomeOf(row) {
  if (row.status === "refused") return say("script.refused", { reason: explain("reasons", row.reason) });
  const parts = row.segments > 1 ? ` · ${say("script.parts", { count: row.segments })}` : "";
  return explain("statuses", row.status) + parts;
}
