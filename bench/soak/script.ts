/** How the scripted model answers the soak's queries, which say by a word what they want. */
import {
  applyPatch,
  cutConnection,
  exec,
  httpError,
  message,
  type Reply,
  reasoning,
  reply,
  silence,
  updatePlan,
} from "../../src/offline/reply.ts";
import type { ModelRequest } from "../../src/offline/request.ts";
import { ScriptedModel } from "../../test/e2e/model.ts";
import { streamPart } from "../parts/model.ts";

/** What a query can ask for. */
export const KINDS = {
  /** A short answer. */
  short: 5,
  /** An answer of some seconds. */
  stream: 4,
  /** Reasoning and a plan. */
  think: 2,
  /** A command that needs no question. */
  list: 2,
  /** A command that asks. */
  touch: 2,
  /** A command with thousands of lines. */
  output: 2,
  /** A command of some seconds. */
  wait: 1,
  patch: 2,
  /** An answer that never ends by itself. */
  hang: 2,
  /** A refusal, at the first time. */
  refuse: 1,
  /** A connection that breaks, at the first time. */
  cut: 1,
} as const;
/** What a query asks for. */
export type Kind = keyof typeof KINDS;

/** The text of a query: its number, and what it asks for. */
export function queryText(number: number, kind: Kind): string {
  return `q${number}x ${kind} please`;
}

/** The numbers of the queries in a text. */
export function numbersIn(text: string): number[] {
  return [...text.matchAll(/\bq(\d+)x (?:\w+) please\b/g)].map((match) => Number(match[1]));
}

/** The last words of the answer to a query. */
export function endOf(number: number): string {
  return `end-of-q${number}x`;
}

/** The model, and what it was sent. */
export class SoakModel implements AsyncDisposable {
  /** The queries that it has received. */
  readonly heard = new Set<number>();
  /** The queries that a single request had more than once. */
  readonly doubled = new Set<number>();
  requests = 0;
  readonly #failedOnce = new Set<number>();
  #model: ScriptedModel | undefined;

  /** Starts it. */
  static async start(): Promise<SoakModel> {
    const soak = new SoakModel();
    soak.#model = await ScriptedModel.start((request) => soak.#answer(request), {
      isRecording: false,
    });
    return soak;
  }

  get server(): ScriptedModel {
    if (this.#model === undefined) throw new Error("the model was not started");
    return this.#model;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#model?.[Symbol.asyncDispose]();
  }

  #answer(request: ModelRequest): Reply {
    this.requests += 1;
    // A transcript that a new thread is given has the queries below headings.
    const texts = request.userTexts().filter((text) => !/^## You$/m.test(text));
    const numbers = texts.flatMap(numbersIn);
    for (const [at, number] of numbers.entries()) {
      if (numbers.indexOf(number) !== at) this.doubled.add(number);
      this.heard.add(number);
    }
    const last = [...(texts.at(-1) ?? "").matchAll(/\bq(\d+)x (\w+) please\b/g)].at(-1);
    const number = Number(last?.[1] ?? -1);
    const kind = (last?.[2] ?? "short") as Kind;
    // A query that steers may cut an answer off: what Codex has of it stands in the request.
    const rest = numbers.filter((n) => !request.contains(endOf(n)));
    const done = () => message(`Done.\n\n${rest.map(endOf).join("\n")}`, { pieces: 2 });
    const failsFirst = () => {
      if (this.#failedOnce.has(number)) return false;
      this.#failedOnce.add(number);
      return true;
    };
    const hasRun = request.outputsSinceUser().length > 0;
    switch (kind) {
      case "stream":
        return reply(streamPart({ deltas: 400, ms: 2_500 }), done());
      case "think":
        return hasRun
          ? reply(done())
          : reply(
              reasoning("**Thinking**\n\nAbout this and that."),
              updatePlan([{ step: "Answer", status: "in_progress" }]),
            );
      case "list":
        return hasRun ? reply(done()) : reply(message("I look."), exec("ls -la"));
      case "touch":
        return hasRun ? reply(done()) : reply(exec(`touch touched-${number % 10}`));
      case "output":
        return hasRun
          ? reply(done())
          : reply(exec(`seq -f 'line %g of the output of ${number}' 1 20000`));
      case "wait":
        return hasRun ? reply(done()) : reply(message("I wait."), exec("sleep 2; echo waited"));
      case "patch":
        return hasRun
          ? reply(done())
          : reply(
              applyPatch(
                `*** Begin Patch\n*** Add File: patched-${number % 10}.txt\n+${number}\n*** End Patch`,
              ),
            );
      case "hang":
        return reply(message("This does not end by itself."), silence());
      case "refuse":
        return failsFirst() ? httpError(400, "The soak refuses this.") : reply(done());
      case "cut":
        return failsFirst()
          ? reply(message("Cut off he"), cutConnection())
          : reply(message("Whole."), done());
      default:
        return reply(message(`Short answer to q${number}x.`), done());
    }
  }
}
