// Uses Twilio's Node library against a running gateway and prints what a script would see.
const twilio = require("twilio");

const [baseUrl, accountSid, authToken] = process.argv.slice(2);
const sender = "+393399957505";
const reachable = "+393401234567";
const suppressed = "+393331234567";

function client(token) {
  const made = twilio(accountSid, token);
  made.api.baseUrl = baseUrl;
  return made;
}

async function failure(promise) {
  try {
    await promise;
  } catch ({ status, code, details }) {
    return { status, code, details };
  }
  return "did not fail";
}

async function walk(messages, options) {
  const sids = [];
  await new Promise((resolve, reject) => {
    const done = (error) => (error ? reject(error) : resolve());
    messages.each({ ...options, done }, (message) => sids.push(message.sid));
  });
  return sids;
}

async function main() {
  const { messages } = client(authToken);
  const make = (to, body) => messages.create({ to, from: sender, body });
  const created = [];
  for (const body of ["0", "1", "2", "3", "4"]) {
    created.push(await make(reachable, body));
  }
  const sent = created[0];
  const sids = (list) => list.map((message) => message.sid);
  return {
    sent,
    created: sids(created),
    refused: await failure(make(suppressed, "ciao")),
    unauthenticated: await failure(
      client("wrong").messages.create({ to: reachable, from: sender, body: "ciao" }),
    ),
    missing: await failure(messages("SM" + "0".repeat(32)).fetch()),
    fetched: (await messages(sent.sid).fetch()).sid,
    listed: sids(await messages.list({ pageSize: 2 })),
    limited: sids(await messages.list({ pageSize: 2, limit: 3 })),
    walked: await walk(messages, { pageSize: 2 }),
  };
}

main().then((seen) => console.log(JSON.stringify(seen)));
