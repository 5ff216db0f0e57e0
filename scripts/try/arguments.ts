import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { err, ok, type Result } from "../../src/result.ts";

/** What `npm run try` was asked to do. */
export type TryArguments = {
  /** The directory to work on in place; undefined means a scratch copy of this repository. */
  readonly project: string | undefined;
  readonly modelUrl: string | undefined;
  readonly model: string | undefined;
  readonly approvals: "never" | "on-request" | "untrusted" | undefined;
  /** How long one turn may take, the first start of the sandbox included. */
  readonly timeoutMs: number;
  readonly state: string | undefined;
  readonly questions: readonly string[];
};

/** The text that follows a wrong call of `npm run try`. */
export const TRY_USAGE = `usage: npm run try -- [options] ["question" ...]
  --project DIR      work on this directory in place (default: a scratch copy of this repository)
  --model-url URL    base URL of an endpoint of the Responses API, such as http://127.0.0.1:8080/v1
  --model NAME       the model to ask for
  --approvals HOW    never, on-request or untrusted
  --timeout SECONDS  how long a turn may take (default: 300)
  --state DIR        where conversations are kept`;

const APPROVALS = ["never", "on-request", "untrusted"] as const;

/** Reads the command line. The error is one sentence that names the option at fault. */
export function parseTryArguments(
  argv: readonly string[],
  cwd: string,
): Result<TryArguments, string> {
  let parsed: ReturnType<typeof parse>;
  try {
    parsed = parse(argv);
  } catch (error) {
    return err(error instanceof Error ? error.message : String(error));
  }
  const { values, positionals } = parsed;
  const approvals = APPROVALS.find((name) => name === values.approvals);
  if (values.approvals !== undefined && approvals === undefined)
    return err(`--approvals takes ${APPROVALS.join(", ")}; got "${values.approvals}"`);
  const seconds = values.timeout === undefined ? 300 : Number(values.timeout);
  // setTimeout cannot wait longer than 2^31-1 ms and would fire at once instead.
  if (!(seconds > 0 && seconds < 2_000_000))
    return err(`--timeout takes a number of seconds; got "${values.timeout}"`);
  const modelUrl = values["model-url"];
  if (modelUrl !== undefined && !(/^https?:\/\//.test(modelUrl) && URL.canParse(modelUrl)))
    return err(`--model-url takes an http or https URL; got "${modelUrl}"`);
  const questions = positionals.filter((text) => text.trim() !== "");
  return ok({
    project: values.project === undefined ? undefined : resolve(cwd, values.project),
    modelUrl,
    model: values.model,
    approvals,
    timeoutMs: seconds * 1000,
    state: values.state === undefined ? undefined : resolve(cwd, values.state),
    questions,
  });
}

function parse(argv: readonly string[]) {
  return parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      project: { type: "string" },
      "model-url": { type: "string" },
      model: { type: "string" },
      approvals: { type: "string" },
      timeout: { type: "string" },
      state: { type: "string" },
    },
  });
}
