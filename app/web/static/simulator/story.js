// The story of a number as a picture: what was texted, answered, sent and refused, in this order,
// over the times in which the number was suppressed.

import { byId, drawing, element, ICONS } from "./dom.js";
import { explain, hour, say } from "./words.js";

const LANES = { person: 52, gateway: 98, script: 144 };
const TOP = 24;
const BOTTOM = 166;
const HEIGHT = 188;
const NAMES = 84; // the width of the lanes' names, which stay while the picture is scrolled
const MARGIN = { left: 44, right: 72 };
const STEP = 76;
const MOST = 60; // moments in the picture; the newest count
const BY_PERSON = new Set(["opt_out", "opt_in", "hold"]);
const LOST = new Set(["refused", "failed", "undelivered", "canceled"]);
const LETTERS = 10;

let drawn = "";

export function show(state) {
  const place = byId("story");
  const moments = momentsOf(state).slice(-MOST);
  if (moments.length === 0) {
    drawn = "";
    return place.replaceChildren(element("p", { class: "empty" }, say("story.empty")));
  }
  const width = Math.max(place.clientWidth - NAMES, MARGIN.left + MARGIN.right + (moments.length - 1) * STEP);
  const content = JSON.stringify([state.number, width, moments, state.suppressed_times]);
  if (content === drawn) return;
  drawn = content;
  const scroller = element(
    "div",
    { class: "scroller", tabindex: "0", role: "group", "aria-labelledby": "story-title" },
    picture(moments, state.suppressed_times, width, summary(state)),
  );
  place.replaceChildren(laneNames(), scroller);
  scroller.scrollLeft = scroller.scrollWidth;
}

/** What happened, the oldest first: {at, lane, kind, label, title, reply}. */
function momentsOf(state) {
  const texts = state.texts.map((text) => ({
    at: text.received_at, lane: "person", kind: text.review ? "hold" : text.meaning, label: text.body,
    title: explain("meanings", text.meaning), reply: text.reply?.replace("{code}", "••••••"),
  }));
  const sends = state.sends.map((send) => ({
    at: send.created_at, lane: "script", kind: LOST.has(send.status) ? "lost" : "sent", label: "",
    title: send.reason ? explain("reasons", send.reason) : explain("statuses", send.status),
  }));
  const acts = state.ledger.filter((entry) => entry.door !== "simulator" || !BY_PERSON.has(entry.act));
  const house = acts.filter((entry) => !state.texts.some((text) => text.received_at === entry.at)).map((entry) => ({
    at: entry.at, lane: "gateway", kind: entry.act, label: explain("acts", entry.act), title: explain("acts", entry.act),
  }));
  return [...texts, ...sends, ...house].sort((one, other) => new Date(one.at) - new Date(other.at));
}

function summary(state) {
  const refused = state.sends.filter((send) => LOST.has(send.status)).length;
  const counts = { texts: state.texts.length, sent: state.sends.length - refused, refused };
  const now = state.suppressions.length > 0 ? ` ${say("story.summary_suppressed")}` : "";
  return say("story.summary", counts) + now;
}

function picture(moments, times, width, label) {
  const x = (index) => MARGIN.left + index * STEP;
  const lines = Object.values(LANES).map((y) => drawing("line", { class: "lane", x1: 0, x2: width, y1: y, y2: y }));
  return drawing(
    "svg",
    { role: "img", "aria-label": label, width, height: HEIGHT, viewBox: `0 0 ${width} ${HEIGHT}` },
    ...times.map((time) => shade(time, moments, x, width)),
    ...lines,
    ...moments.flatMap((moment, index) => mark(moment, x(index))),
    ...hours(moments, x),
    drawing("text", { class: "now", x: width - 4, y: HEIGHT - 6 }, say("story.now")),
  );
}

/** The band of one suppressed time: from the moment that began it to the one that ended it. */
function shade(time, moments, x, width) {
  const from = place(time.since, moments, x);
  const to = time.until ? place(time.until, moments, x) : width;
  return drawing(
    "g",
    { class: "suppressed" },
    drawing("rect", { x: from, y: TOP, width: Math.max(to - from, 2), height: BOTTOM - TOP, rx: 10 }),
    drawing("text", { x: from + 10, y: TOP - 8 }, say("story.suppressed")),
  );
}

/** Where a time stands among the moments: on one of them, or half a step before the next. */
function place(iso, moments, x) {
  const next = moments.findIndex((moment) => new Date(moment.at) >= new Date(iso));
  if (next === -1) return x(moments.length - 0.5);
  return moments[next].at === iso ? x(next) : x(next - 0.5);
}

function mark(moment, x) {
  const y = LANES[moment.lane];
  const parts = [];
  if (moment.reply) {
    parts.push(drawing("line", { class: "thread", x1: x, x2: x, y1: y, y2: LANES.gateway }));
    parts.push(dot("reply", x, LANES.gateway, 6, moment.reply));
  }
  parts.push(dot(moment.kind, x, y, moment.lane === "script" ? 10 : 8, moment.title));
  if (moment.lane === "script") parts.push(sign(moment.kind === "lost" ? ICONS.no : ICONS.yes, x, y));
  if (moment.label) parts.push(drawing("text", { class: "label", x, y: y - 14 }, short(moment.label)));
  return parts;
}

function dot(kind, x, y, r, title) {
  return drawing("circle", { class: `dot ${kind}`, cx: x, cy: y, r }, drawing("title", {}, title));
}

function sign(path, x, y) {
  return drawing("path", { class: "sign", d: path, transform: `translate(${x - 6} ${y - 6}) scale(.6)` });
}

/** Under the picture the hour, where it is another than at the moment before. */
function hours(moments, x) {
  return moments.flatMap((moment, index) => {
    const time = hour(moment.at);
    const isNews = index === 0 || hour(moments[index - 1].at) !== time;
    return isNews ? [drawing("text", { class: "hour", x: x(index), y: HEIGHT - 6 }, time)] : [];
  });
}

function laneNames() {
  const names = Object.entries(LANES).map(([lane, y]) => drawing("text", { class: "name", x: 0, y: y + 4 }, say(`story.${lane}`)));
  return drawing("svg", { class: "names", "aria-hidden": "true", width: NAMES, height: HEIGHT }, ...names);
}

function short(text) {
  const letters = [...text];
  return letters.length > LETTERS ? `${letters.slice(0, LETTERS - 1).join("")}…` : text;
}
