// The questions and acts behind the page. Numbers travel in bodies, never in addresses.

/** A request that the gateway did not grant: `detail` in words, `reason` from its closed list. */
export class Refusal extends Error {
  constructor(problem, status) {
    super(problem.detail ?? String(status));
    this.status = status;
    this.reason = problem.reason ?? null;
  }
}

export const gateway = {
  state: (number, others) => post("state", { number, others }),
  text: (number, body) => post("text", { number, body }),
  ownPage: (number) => post("own-page", { number }),
  send: (number, body, purpose) => post("send", { number, body, purpose }),
};

async function post(act, question) {
  const answer = await fetch(`/simulator/${act}`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(question),
  });
  if (answer.status === 204) return null;
  const content = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Refusal(content, answer.status);
  return content;
}
