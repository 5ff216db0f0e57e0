import * as z from "zod";
import { Id } from "../id.ts";

/** A failed tool call for which Codex sends no item (0.171). */
export type FailedCall = {
  readonly id: string;
  readonly kind: "patch" | "command" | "tool";
  /** The command or the tool; empty for a patch, and for a command inside a script. */
  readonly name: string;
  /** The files that a patch names, as far as they are known; empty for other kinds. */
  readonly files: readonly string[];
  /** The patch itself; empty if it is part of a script. */
  readonly patch: string;
  /** Codex's words. */
  readonly reason: string;
};

/** How many items at the end of a request are examined; the model makes a few calls at a time. */
const MAX_ITEMS = 400;
/** Threads, and calls of each, that are remembered: a program inside may forge any number. */
const MAX_THREADS = 200;
const MAX_KNOWN = 2000;
/** How much of a call is kept; the transcript shows less of an output. */
const MAX_CHARS = 100_000;
const MAX_FILES = 300;

const Metadata = z.object({ client_metadata: z.object({ thread_id: Id }) });
const Call = z.union([
  z.object({
    type: z.literal("custom_tool_call"),
    call_id: Id,
    name: z.string(),
    input: z.string(),
  }),
  z
    .object({
      type: z.literal("function_call"),
      call_id: Id,
      name: z.string(),
      arguments: z.string(),
    })
    .transform(({ arguments: input, ...call }) => ({ ...call, input })),
]);
const Output = z.object({
  type: z.enum(["custom_tool_call_output", "function_call_output"]),
  call_id: Id,
  output: z.union([z.string(), z.array(z.object({ text: z.string().catch("") }))]),
});
const Command = z.object({ cmd: z.string() });
type Call = z.infer<typeof Call>;

/**
 * Finds calls that failed without a notification, by reading the next request to the model: a patch
 * that does not apply to its file, a command that Codex's policy refuses. For threads that were
 * resumed or forked there is no other source (0.171).
 *
 * SECURITY: a program inside can make such a request, just as it can forge Codex's notifications. The
 * host shows its content in the conversation and does nothing else with it.
 */
export class FailedCalls {
  /** By thread, the calls that were in an earlier request. */
  readonly #known = new Map<string, Set<string>>();

  /**
   * Reads a request of the Responses API and returns the calls that failed since the previous request
   * of the same thread. The first request of a thread comes before the model has called anything, so
   * all its calls are old.
   */
  take(request: Readonly<Record<string, unknown>>): {
    readonly thread: string;
    readonly failed: readonly FailedCall[];
  } {
    const metadata = Metadata.safeParse(request);
    if (!metadata.success || !Array.isArray(request["input"])) return { thread: "", failed: [] };
    const thread = metadata.data.client_metadata.thread_id;
    const items: readonly unknown[] = request["input"].slice(-MAX_ITEMS);
    const calls = new Map(
      items.flatMap((item) => parsed(Call, item)).map((call) => [call.call_id, call]),
    );
    const before = this.#known.get(thread);
    const known = before ?? new Set<string>();
    const failed: FailedCall[] = [];
    for (const output of items.flatMap((item) => parsed(Output, item))) {
      const id = output.call_id;
      const call = calls.get(id);
      if (before !== undefined && !known.has(id) && call !== undefined)
        failed.push(...failureOf(call, textOf(output.output)));
      known.add(id);
    }
    for (const oldest of known) {
      if (known.size <= MAX_KNOWN) break;
      known.delete(oldest);
    }
    this.#known.delete(thread);
    this.#known.set(thread, known);
    const [oldest] = this.#known.keys();
    if (this.#known.size > MAX_THREADS && oldest !== undefined) this.#known.delete(oldest);
    return { thread, failed };
  }
}

function parsed<T>(schema: z.ZodType<T>, value: unknown): T[] {
  const found = schema.safeParse(value);
  return found.success ? [found.data] : [];
}

function textOf(output: z.infer<typeof Output>["output"]): string {
  return typeof output === "string" ? output : output.map(({ text }) => text).join("\n");
}

/** A patch that Codex refuses before it starts. One that the user declines is an item. */
const PATCH = /apply_patch verification failed: |patch rejected: /;
const TOOL =
  /^(?:failed to parse function arguments: |unsupported call: |unable to locate image |write_stdin failed: )/;
/** A command that asks for a permission that the approval policy does not allow to ask for. */
const POLICY = /^approval policy is \w+; reject command \S+ ([^\n]+)/;

function failureOf(call: Call, output: string): FailedCall[] {
  const text = output.slice(0, MAX_CHARS);
  const { call_id: id, name, input } = call;
  // Code mode: the script is the call, and it fails with the error of one of its tools.
  const isScript = call.type === "custom_tool_call" && name === "exec";
  if (isScript || name === "wait") return failureIn(id, isScript ? input : "", text);
  const failed = { id, name, files: [], patch: "", reason: text };
  if (text.search(PATCH) === 0) {
    const patch = name === "apply_patch" ? input : patchIn(commandOf(input));
    const files = filesOf(patch);
    return [{ ...failed, kind: "patch", name: "", files, patch: patch.slice(0, MAX_CHARS) }];
  }
  const reason = refusalOf(text)?.reason;
  if (reason !== undefined) return [{ ...failed, kind: "command", name: commandOf(input), reason }];
  return TOOL.test(text) ? [{ ...failed, kind: "tool" }] : [];
}

/** The failure in a script's output; one that the script does not print cannot be found. */
function failureIn(id: string, script: string, text: string): FailedCall[] {
  const failed = { id, name: "", files: [], patch: "" };
  const from = text.indexOf("Script error:\n");
  const error = from === -1 ? "" : text.slice(from + "Script error:\n".length).trimEnd();
  const at = script.includes("apply_patch") ? text.search(PATCH) : -1;
  if (at !== -1 || error.search(PATCH) === 0) {
    const files = script.split("*** Begin Patch").length === 2 ? filesOf(script) : [];
    return [{ ...failed, kind: "patch", files, reason: at === -1 ? error : text.slice(at) }];
  }
  const refused = refusalOf(error);
  return refused === undefined ? [] : [{ ...failed, kind: "command", ...refused }];
}

/**
 * The command that Codex's own policy refuses, if the output names it, and the reason. All other
 * commands are items, even those that do not start or that the user declines.
 */
function refusalOf(text: string): { name: string; reason: string } | undefined {
  const policy = POLICY.exec(text)?.[1];
  if (policy !== undefined) return { name: "", reason: policy };
  const [head, rejected, tail] = ["exec_command failed: ", "` rejected: ", '")" }'];
  const at = text.lastIndexOf(rejected);
  if (!text.startsWith(head) || !text.endsWith(tail) || at === -1) return undefined;
  return {
    name: text.slice(text.indexOf("`") + 1, at),
    reason: text.slice(at + rejected.length, -tail.length).replace(/\\+$/, ""),
  };
}

/** The files that a patch names. In a script, its lines may end in an escaped newline. */
function filesOf(patch: string): string[] {
  const found = patch
    .slice(0, MAX_CHARS)
    .matchAll(/\*\*\* (?:Add|Update|Delete) File: (.+?)(?=\\n|\n|\r|"|'|`|$)/g);
  return [...new Set(Array.from(found, (match) => (match[1] ?? "").trim()))].slice(0, MAX_FILES);
}

/** The script of a command's call; all of its input if that has another form. */
function commandOf(input: string): string {
  try {
    const command = Command.safeParse(JSON.parse(input));
    return (command.success ? command.data.cmd : input).slice(0, MAX_CHARS);
  } catch {
    return input.slice(0, MAX_CHARS);
  }
}

/** The patch in a shell script's heredoc. */
function patchIn(script: string): string {
  return /\*\*\* Begin Patch[\s\S]*?(?:\*\*\* End Patch|$)/.exec(script)?.[0] ?? script;
}
