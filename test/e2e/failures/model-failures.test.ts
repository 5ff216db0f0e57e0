import { beforeEach, describe, expect, it } from "vitest";
import {
  cutConnection,
  endingIn,
  exec,
  garbage,
  httpBody,
  httpError,
  message,
  type Reply,
  rawEvent,
  reply,
  silence,
} from "../../../src/offline/reply.ts";
import { startCompanyProxy } from "../../support/company-proxy.ts";
import { Conversation, Place, ScriptedModel, SLOW, share, WAIT } from "../support.ts";

type Case = readonly [what: string, answer: Reply, said: RegExp];

const failed = (code: string, words = "it failed") =>
  endingIn({ type: "response.failed", response: { id: "r", error: { code, message: words } } });
const incomplete = (reason: string) =>
  endingIn({ type: "response.incomplete", response: { incomplete_details: { reason } } });
const page = "<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>";
const retry = "[\\s\\S]*`:CodexChat retry`";

/** What may go well another time, or needs something of the user's before. */
const cases: readonly Case[] = [
  ["401", httpError(401, "wrong key"), /Error.*wrong key[\s\S]*api_key[\s\S]*retry/],
  ["402", httpError(402, "no credit"), /Error.*no credit[\s\S]*usage limit[\s\S]*retry/],
  ["403", httpError(403, "not for you"), /Error.*not for you[\s\S]*retry/],
  ["404", httpError(404, "no such model", {}, { code: "model_not_found" }), /`model`[\s\S]*retry/],
  ["408", httpError(408, "too slow"), /could not take the request just now[\s\S]*retry/],
  ["429 without a time", httpError(429, "too fast"), /Error[\s\S]*Wait a minute[\s\S]*retry/],
  [
    "429 with a time",
    httpError(429, "too fast", { "retry-after": "1" }),
    /Error[\s\S]*Wait 1 s, as the endpoint asks[\s\S]*retry/,
  ],
  [
    "429 for a lack of quota",
    httpError(429, "no quota", {}, { code: "insufficient_quota" }),
    /Error[\s\S]*usage limit is reached[\s\S]*retry/,
  ],
  ["500", httpError(500, "sorry"), new RegExp(`Error[\\s\\S]*Wait a little${retry}`)],
  [
    "502 with a web page",
    httpBody(502, page),
    /status 502 Bad Gateway\.[\s\S]*Wait a little[\s\S]*retry/,
  ],
  [
    "503 for overload",
    httpError(503, "busy", {}, { code: "server_is_overloaded" }),
    /The model is overloaded[\s\S]*retry/,
  ],
  ["529", httpError(529, "overloaded"), /Error[\s\S]*Wait a little[\s\S]*retry/],
  ["a failed answer of an unknown kind", failed("whatever"), new RegExp(`Error${retry}`)],
  ["a failed answer of the server", failed("server_error"), new RegExp(`Error${retry}`)],
  ["a failed answer for its rate", failed("rate_limit_exceeded"), new RegExp(`Error${retry}`)],
  [
    "a failed answer for a lack of quota",
    failed("insufficient_quota"),
    new RegExp(`Error${retry}`),
  ],
  ["a failed answer for overload", failed("server_is_overloaded"), new RegExp(`Error${retry}`)],
  ["an answer that is too long", incomplete("max_output_tokens"), new RegExp(`Error${retry}`)],
  ["a filtered answer", incomplete("content_filter"), new RegExp(`Error${retry}`)],
  ["a web page instead of an answer", httpBody(200, page), new RegExp(`Error${retry}`)],
  ["an empty answer", httpBody(200, ""), new RegExp(`Error${retry}`)],
  [
    "a parameter that it does not know",
    httpError(400, "Unsupported value", {}, { param: "reasoning.effort" }),
    /Unsupported value\.[\s\S]*Check `model`[\s\S]*retry/,
  ],
  ["a stream that is cut", reply(message("Half of"), cutConnection()), /Half of[\s\S]*Error/],
  [
    "a stream of garbage",
    reply(message("Half of"), garbage(), cutConnection()),
    /Half of[\s\S]*Error/,
  ],
  ["silence", reply(message("Half of"), silence()), /Half of[\s\S]*Error/],
];

/** One that Codex does not try again, one that it does, and one that comes after half an answer. */
const GOES_ON = ["401", "500", "a stream that is cut"];

describe("a model's endpoint that fails", SLOW, () => {
  const shared = share({
    git: false,
    config: { limits: { silence_ms: 500, response_idle_ms: 2_000 } },
  });
  beforeEach(() => shared().chat.startAnew());

  /** Asks while the endpoint fails, and again by `retry` once it does not. */
  async function failsAndRecovers(query: string, [, answer, said]: Case): Promise<void> {
    const { chat, model } = shared();
    model.answerInTurn(answer);
    const end = await chat.ask(query);
    expect(end.status).toBe("failed");
    expect((await chat.text()).split(query).at(-1)).toMatch(said);
    expect(await chat.state("phase")).toBe("failed");
    model.answerInTurn(reply(message("Well again.")));
    await chat.command("retry");
    expect(await chat.waitForTurnEnd()).toEqual({ status: "completed" });
    expect(await chat.text()).toMatch(/Error[\s\S]*Well again\.\s+## You\s*$/);
  }

  it.each(cases)(
    "with %s fails the turn with advice in the buffer, and a retry succeeds",
    async (...failure) => {
      await failsAndRecovers("Are you well?", failure);
      expect(shared().model.requests.at(-1)?.userTexts()).toEqual(["Are you well?"]);
    },
  );

  it.each(cases.filter(([what]) => GOES_ON.includes(what)))(
    "with %s fails a later turn in the same way, and a retry sends the query once",
    async (...failure) => {
      const { chat, model } = shared();
      model.answerInTurn(reply(message("I am.")));
      await chat.ask("Are you well?");
      await failsAndRecovers("And still well?", failure);
      expect(model.requests.at(-1)?.userTexts()).toEqual(["Are you well?", "And still well?"]);
    },
  );
});

describe("a turn that takes more tokens than are allowed", SLOW, () => {
  const shared = share({ git: false, config: { limits: { tokens_per_turn: 1_000_000 } } });

  it("ends with the name of the limit, and the next turn counts from zero", async () => {
    const { chat, model } = shared();
    const usage = { input_tokens: 999_999, output_tokens: 2, total_tokens: 1_000_001 };
    model.answerInTurn(
      reply(exec("true"), rawEvent({ type: "response.completed", response: { id: "r", usage } })),
      reply(message("Never said.")),
    );

    const end = await chat.ask("Spend.");

    expect(end.status).toBe("failed");
    expect(await chat.text()).toContain("limits.tokens_per_turn");
    expect(await chat.text()).toContain("The proxy on your machine refused this.");
    expect(await chat.text()).not.toContain("Never said.");
    model.answerInTurn(reply(message("Thrifty now.")));
    expect(await chat.ask("And now?")).toEqual({ status: "completed" });
  });
});

describe("a model's endpoint that cannot be reached", SLOW, () => {
  it("is reported in the buffer, and a retry reaches it once it is up", async () => {
    await using place = await Place.make({ git: false });
    const gone = await ScriptedModel.start();
    await gone[Symbol.asyncDispose]();
    await using chat = await Conversation.open({ place, model: gone });

    expect((await chat.ask("Anyone?")).status).toBe("failed");

    expect(await chat.text()).toMatch(/Error.*127\.0\.0\.1/);
    await using _back = await ScriptedModel.start(() => reply(message("Here I am.")), {
      port: Number(new URL(gone.url).port),
    });
    await chat.command("retry");
    expect(await chat.waitForTurnEnd()).toEqual({ status: "completed" });
    expect(await chat.text()).toContain("Here I am.");
  });

  it("is reached through the configured proxy, like other hosts, with a password that stays outside", async () => {
    await using place = await Place.make({ git: false });
    const company = await startCompanyProxy({ names: {} });
    await using chat = await Conversation.open({
      place,
      model: { url: "https://model.test:8443/v1" },
      config: {
        network: {
          proxy: company.url.origin,
          proxy_auth_cmd: ["echo", "me:secret"],
          allow: ["site.test"],
        },
      },
    });
    await chat.send("Anyone?");
    await expect.poll(() => company.asked, WAIT).not.toEqual([]);
    expect(new Set(company.asked)).toEqual(new Set(["CONNECT model.test:8443"]));
    expect(new Set(company.told)).toEqual(new Set([`Basic ${btoa("me:secret")}`]));
    const proxy = `$(tr '\\0' '\\n' < /proc/$(pgrep -of app-server)/environ | sed -n 's/^HTTP_PROXY=//p')`;
    const said = await place.inside(`curl -sS -m 20 -x "${proxy}" http://site.test/x; env`);
    expect(company.asked).toContain("GET http://site.test/x");
    expect(said.stdout).not.toContain("secret");
    await chat.stop();
    expect((await chat.waitForTurnEnd()).status).toBe("interrupted");
  });

  it("is not called without a key, and no sandbox is started", async () => {
    await using place = await Place.make({ git: false });
    await using chat = await Conversation.open({
      place,
      model: { url: "https://api.openai.com/v1" },
    });

    const end = await chat.ask("Anyone?");

    expect(end.failure?.kind).toBe("no_key");
    expect(await chat.text()).toContain("OPENAI_API_KEY is not set in Neovim's environment");
    expect(await place.containers()).toEqual([]);
  });
});
