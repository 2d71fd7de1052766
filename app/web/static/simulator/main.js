// The page's own loop: act, ask for the state, show it; and ask again every little while.

import { byId } from "./dom.js";
import { gateway } from "./gateway.js";
import * as handsets from "./handsets.js";
import * as knowledge from "./knowledge.js";
import * as phone from "./phone.js";
import * as script from "./script.js";
import * as story from "./story.js";
import { say } from "./words.js";

const EVERY = 1500; // milliseconds between two looks

let asked = 0; // looks begun, and the newest of them that was shown
let answered = 0;
let shown = "";
let latest = null;

async function refresh() {
  const turn = ++asked;
  const { number } = handsets.current();
  try {
    const state = await gateway.state(number, handsets.others());
    if (byId("notice").dataset.about === "state") byId("notice").hidden = true;
    if (number !== handsets.current().number || turn < answered) return; // too late: newer is shown
    answered = turn;
    show(state);
  } catch (failure) {
    complain(failure, "state");
  }
}

function show(state) {
  const content = JSON.stringify(state);
  if (content === shown) return; // most looks bring nothing new, and nothing is drawn for them
  [shown, latest] = [content, state];
  handsets.mark(state);
  for (const part of [phone, knowledge, script, story]) part.show(state);
}

function take() {
  shown = "";
  phone.hold(handsets.current());
  script.forget();
  return refresh();
}

async function text(body) {
  byId("notice").hidden = true;
  try {
    await gateway.text(handsets.current().number, body);
  } catch (failure) {
    complain(failure, "act");
  }
  await refresh();
}

async function send(body, purpose, toAll) {
  byId("notice").hidden = true;
  const results = [];
  for (const number of toAll ? handsets.all() : [handsets.current().number]) {
    try {
      results.push({ number, receipt: await gateway.send(number, body, purpose) });
    } catch (refusal) {
      if (!refusal.reason) complain(refusal, "act");
      else results.push({ number, refusal });
    }
  }
  await refresh();
  return results;
}

/** To the page behind the link that this number gets in messages it can't answer. */
async function leave() {
  try {
    location.assign((await gateway.ownPage(handsets.current().number)).address);
  } catch (failure) {
    complain(failure, "act");
  }
}

/** Say what failed: an act until the next one, a look until one succeeds. */
function complain(failure, about) {
  const notice = byId("notice");
  notice.textContent = failure.status ? say("failed", { detail: failure.message }) : say("offline");
  notice.dataset.about = about;
  notice.hidden = false;
}

async function look() {
  if (!document.hidden) await refresh();
  setTimeout(look, EVERY);
}

handsets.start(take);
phone.start(text);
script.start(send);
byId("own-page").addEventListener("click", leave);
addEventListener("resize", () => latest && story.show(latest));
phone.hold(handsets.current());
look();
