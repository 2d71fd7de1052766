// What the gateway knows about the number in hand: standing, meaning of the last text, ledger.

import { byId, element, icon, ICONS } from "./dom.js";
import { exactTime, explain, hour, languageName, say } from "./words.js";

const ALL_PROGRAMS = "*";

let entries = { number: null, newest: 0 }; // the newest ledger entry on the page

export function show(state) {
  showStanding(state);
  showUnderstanding(state.texts.at(-1));
  showLedger(state);
}

function showStanding(state) {
  const refusal = state.refusals.marketing;
  const kind = { suppressed: "suppressed", under_review: "under_review" }[refusal] ?? (refusal ? "refused" : "open");
  const [sign, tone] = { open: [ICONS.yes, "good"], suppressed: [ICONS.no, "bad"] }[kind] ?? [ICONS.wait, "wait"];
  byId("standing").replaceChildren(
    element("span", { class: `seal ${tone}` }, icon(sign)),
    element("p", { class: "headline" }, say(`standing.${kind}`), element("span", {}, whyStanding(state, refusal))),
    refusal ? element("p", { class: "way-on" }, explain("ways_on", refusal)) : "",
  );
  byId("facts").replaceChildren(
    fact(say("standing.marketing"), gets(state.refusals.marketing)),
    fact(say("standing.service"), gets(state.refusals.service)),
    fact(say("standing.language"), state.language ? languageName(state.language) : say("standing.language_unknown")),
  );
}

function whyStanding(state, refusal) {
  const [suppression] = state.suppressions;
  if (suppression) {
    const why = explain("suppression_reasons", suppression.reason);
    return say("standing.since", { time: hour(suppression.since), why });
  }
  return refusal ? capital(`${explain("reasons", refusal)}.`) : say("standing.open_why");
}

const gets = (refusal) => say(refusal ? "standing.stopped" : "standing.allowed");

function fact(name, value) {
  return element("div", {}, element("dt", {}, name), element("dd", {}, value));
}

function showUnderstanding(text) {
  const place = byId("understanding");
  if (!text) return place.replaceChildren(element("p", { class: "empty" }, say("understanding.empty")));
  place.replaceChildren(
    element("blockquote", {}, text.body),
    element("p", { class: `meaning ${text.review ? "wait" : text.meaning}` }, meaning(text)),
    element(
      "dl",
      {},
      fact(say("understanding.why"), explain("rules", text.rule, { rule: text.rule.replaceAll("_", " ") })),
      fact(say("understanding.answer"), answerTo(text)),
    ),
    element(
      "p",
      { class: "tags" },
      tag(say("understanding.rule"), text.rule),
      tag(say("understanding.tables"), text.tables_version),
      text.language ? tag("", languageName(text.language)) : null,
    ),
  );
}

function answerTo(text) {
  // Where a code stood, what is kept has only its place.
  return text.reply?.replace("{code}", "••••••") ?? explain("silences", text.silence);
}

function meaning(text) {
  return text.review ? say("understanding.review") : explain("meanings", text.meaning);
}

function tag(name, value) {
  return element("span", { class: "tag" }, name && `${name} `, element("code", { title: value }, value));
}

function showLedger(state) {
  const list = byId("ledger");
  const isSame = entries.number === state.number;
  const newest = isSame ? entries.newest : Infinity;
  list.replaceChildren(...state.ledger.map((entry) => ledgerEntry(entry, entry.id > newest)).reverse());
  if (state.ledger.length === 0) list.append(element("li", { class: "empty" }, say("ledger.empty")));
  entries = { number: state.number, newest: state.ledger.at(-1)?.id ?? 0 };
}

function ledgerEntry(entry, isNew) {
  const program = entry.program === ALL_PROGRAMS ? say("ledger.all_programs") : entry.program;
  return element(
    "li",
    { class: `${entry.act}${isNew ? " new" : ""}` },
    element(
      "p",
      { class: "act" },
      element("b", {}, explain("acts", entry.act)),
      ` ${say("ledger.door", { door: explain("doors", entry.door) })} · ${program}`,
    ),
    entry.text ? element("p", { class: "words" }, `“${entry.text}”`) : null,
    element(
      "p",
      { class: "tags" },
      element("time", { datetime: entry.at }, exactTime(entry.at)),
      tag(say("ledger.entry"), entry.id),
      ...Object.entries(entry.evidence).map(([name, value]) => tag(explain("evidence", name), String(value))),
    ),
  );
}

const capital = (words) => words[0].toUpperCase() + words.slice(1);
