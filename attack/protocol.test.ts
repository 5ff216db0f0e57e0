/**
 * The protocol: the app-server is the attacker's program, or a process beside it that writes to its
 * output. The control is a client that trusts what it is told.
 */
import { type Attempt, attempt, group, type Verdict, verdict } from "./catalogue.ts";
import { fortress } from "./support/containers.ts";
import {
  type Heard,
  impersonate,
  type Listener,
  productListens,
  trustingListener,
} from "./support/impostor.ts";
import { hostPlace, lazily } from "./support/places.ts";
import { KEY } from "./support/victims.ts";

const inside = lazily(async () => fortress(await hostPlace("protocol")));

function says(
  name: string,
  tries: string,
  mustHappen: string,
  program: string,
  judge: (heard: Heard) => Verdict,
): Attempt {
  return attempt<Listener>({
    name,
    tries,
    mustHappen,
    strike: async (listen) => {
      const heard = await impersonate(await inside(), listen, program);
      return heard.crashed === undefined ? judge(heard) : verdict(true, heard.crashed);
    },
    product: async () => productListens,
    control: async () => trustingListener,
  });
}

/** A question about a command, as Codex asks it. */
const ASK = `const ask = (id, threadId = "t") => say({ id, method: "item/commandExecution/requestApproval",
  params: { threadId, turnId: "u", itemId: "i" + id, startedAtMs: 1, command: "rm -rf /", cwd: "/", reason: null } });`;

group("protocol", [
  says(
    "token refresh",
    "asks the host for the user's tokens, as Codex does with a subscription",
    "the host answers with no token",
    `say({ id: 1, method: "account/chatgptAuthTokens/refresh", params: { reason: "unauthorized", previousAccountId: null } });
     say({ id: 2, method: "attestation/generate", params: {} }); done();`,
    ({ answers }) => {
      const hasKey = answers.some(
        (answer) => answer.includes(KEY) || answer.includes("accessToken"),
      );
      return verdict(hasKey || answers.length === 0, answers.join(" ").slice(0, 160));
    },
  ),
  says(
    "answering for the user",
    "asks for an approval and answers it itself under the same id",
    "the question waits for the user",
    `${ASK} ask(7); setTimeout(() => { say({ id: 7, result: { decision: "accept" } }); done(); }, 300);`,
    ({ asked, accepted, answers }) => {
      const isAnswered = accepted.length > 0 || answers.some((answer) => answer.includes("accept"));
      return verdict(
        isAnswered || asked.length === 0,
        `asked ${asked.length}, accepted ${isAnswered}`,
      );
    },
  ),
  says(
    "duplicate ids",
    "asks 50 times under the same id, to have one answer count for all",
    "the user is asked once",
    `${ASK} for (let n = 0; n < 50; n++) ask(1); done();`,
    ({ asked }) => verdict(asked.length !== 1, `asked ${asked.length} times`),
  ),
  says(
    "questions without end",
    "asks 5,000 questions at once, to bury the user and the editor",
    "few are pending at a time, and the rest are refused",
    `${ASK} (async () => { for (let n = 0; n < 5000; n++) await ask(n); done(); })();`,
    ({ asked }) => verdict(asked.length > 200 || asked.length === 0, `asked ${asked.length} times`),
  ),
  says(
    "a line of 100 MB",
    "sends one message of 100 MB, then an honest one",
    "the long one is dropped, and the honest one is handled",
    `(async () => { await raw('{"method":"item/agentMessage/delta","params":{"delta":"');
       const part = "x".repeat(1 << 20); for (let n = 0; n < 100; n++) await raw(part);
       await raw('"}}\\n'); await say({ method: "honest", params: {} }); done(); })();`,
    ({ longest, notified }) =>
      verdict(
        longest > 32 * 1024 ** 2 || notified.length !== 1,
        `the longest has ${longest} characters, heard: ${notified.join(" ").slice(0, 60)}`,
      ),
  ),
  says(
    "100,000 messages at once",
    "sends 100,000 malformed messages, each of which is worth a line in the log",
    "the log stays short",
    `(async () => { for (let n = 0; n < 100; n++) await raw(('{"id":' + n + ',"result":{"x":1}}\\n').repeat(1000)); done(); })();`,
    ({ logged }) => verdict(logged > 1000, `${logged} lines for the log`),
  ),
  says(
    "deep JSON",
    "sends a value nested 100,000 levels deep",
    "the host keeps running",
    `(async () => { await raw('{"method":"x/y","params":{"a":' + '{"a":'.repeat(100000) + '1' + '}'.repeat(100000) + '}}\\n');
       await raw('{"method":"x/z","params":{"a":' + '['.repeat(100000) + ']'.repeat(100000) + '}}\\n');
       await say({ method: "honest", params: {} }); done(); })();`,
    ({ notified }) => verdict(notified.length === 0, `it heard ${notified.length} messages`),
  ),
  says(
    "prototype keys",
    "calls methods named constructor and __proto__, and sends __proto__ as a key",
    "no object in the host changes, and every answer is an error",
    `(async () => { await say({ id: 1, method: "constructor", params: { a: 1 } }); await say({ id: 2, method: "toString", params: {} });
       await raw('{"id":3,"method":"__proto__","params":{"__proto__":{"polluted":"yes"}}}\\n');
       await raw('{"method":"thread/started","params":{"__proto__":{"polluted":"yes"},"constructor":{"prototype":{"polluted":"yes"}}}}\\n');
       await raw('{"method":"__proto__","__proto__":{"polluted":"yes"}}\\n'); done(); })();`,
    ({ answers }) => {
      const isPolluted = "polluted" in {};
      delete (Object.prototype as { polluted?: unknown }).polluted;
      const answered = answers.filter((answer) => !answer.includes('"error"'));
      return verdict(
        isPolluted || answered.length > 0,
        `polluted: ${isPolluted}, ${answered.length} answers`,
      );
    },
  ),
  says(
    "wrong shapes",
    "sends ids, methods and parameters of every wrong type, NULs, broken UTF-8 and no JSON",
    "the host keeps running",
    `(async () => { for (const id of [null, {}, [], 1e400, -0, "x".repeat(1e5), true]) for (const method of [null, 1, {}, "turn/started", "item/started"])
         await say({ id, method, params: method, result: id, error: id });
       for (const it of ["null", "[]", "1", '"x"', "{", "\\0\\0", "\\ufeff{}", '{"method":"turn/completed","params":null}', '{"method":"item/completed","params":[{}]}']) await raw(it + "\\r\\n");
       process.stdout.write(Buffer.from([0xff, 0xfe, 0x0a, 0xc3, 0x28, 0x0a])); await say({ method: "honest", params: {} }); done(); })();`,
    ({ notified }) => verdict(!notified.length, `it heard ${notified.length} messages`),
  ),
]);
