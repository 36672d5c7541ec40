// Waiting for what comes about by itself.

const WITHIN = 15_000;
const EVERY = 50;

/** Asks until the answer is truthy, and returns it. A question that fails is asked again. */
export async function eventually(what, ask, within = WITHIN) {
  const until = Date.now() + within;
  let why = "it did not come about";
  while (Date.now() < until) {
    try {
      const answer = await ask();
      if (answer) return answer;
    } catch (error) {
      why = error.message;
    }
    await new Promise((done) => { setTimeout(done, EVERY); });
  }
  throw new Error(`${what}: ${why} within ${within / 1000} s`);
}
