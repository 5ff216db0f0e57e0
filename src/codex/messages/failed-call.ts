import { z } from "zod";
import { Id } from "../id.ts";

/** A call of the model's that came to nothing, and of which Codex tells no item (0.171). */
export type FailedCall = {
  readonly id: string;
  readonly kind: "patch" | "command" | "tool";
  /** The command, or the tool; empty of a patch, and where a script holds it. */
  readonly name: string;
  /** Of a patch: the files that it is about, as far as they are known. */
  readonly files: readonly string[];
  /** The patch itself, where it is not a part of a script. */
  readonly patch: string;
  /** Codex's words. */
  readonly reason: string;
};

/** How many items at a request's end are looked at; the model makes a few calls at a time. */
const MAX_ITEMS = 400;
/** Threads, and calls of each, that are remembered: a program inside may forge any number. */
const MAX_THREADS = 200;
const MAX_KNOWN = 2000;
/** How much of a call is kept: what the transcript shows of an output is less. */
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
 * Finds calls that failed without a word of Codex's about them, in what it asks the model next: a
 * patch that does not fit its file, a command that its policy refuses. There is no other source of
 * them for threads that were resumed or forked (0.171).
 *
 * SECURITY: a program inside can make such a request, as it can forge Codex's notifications. What it
 * says is shown in the conversation, and does no more than that.
 */
export class FailedCalls {
  /** By thread, the calls that were in an earlier request. */
  readonly #known = new Map<string, Set<string>>();

  /**
   * Takes a request of the Responses API; gives what failed since the one before of the same thread.
   * The first of a thread is made before the model has called anything: all in it is of long ago.
   */
  take(request: Readonly<Record<string, unknown>>): {
    readonly thread: string;
    readonly failed: readonly FailedCall[];
  } {
    const metadata = Metadata.safeParse(request);
    if (!metadata.success || !Array.isArray(request["input"])) return { thread: "", failed: [] };
    const thread = metadata.data.client_metadata.thread_id;
    const items: readonly unknown[] = request["input"].slice(-MAX_ITEMS);
    const calls = new Map(items.flatMap((it) => parsed(Call, it)).map((it) => [it.call_id, it]));
    const before = this.#known.get(thread);
    const known = before ?? new Set<string>();
    const failed: FailedCall[] = [];
    for (const output of items.flatMap((it) => parsed(Output, it))) {
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

/** A patch that Codex refuses before it begins with it. One that the user declines is an item. */
const PATCH = /apply_patch verification failed: |patch rejected: /;
const TOOL =
  /^(?:failed to parse function arguments: |unsupported call: |unable to locate image |write_stdin failed: )/;
/** A command that asks for more than may be asked for. */
const POLICY = /^approval policy is \w+; reject command \S+ ([^\n]+)/;

function failureOf(call: Call, output: string): FailedCall[] {
  const text = output.slice(0, MAX_CHARS);
  const { call_id: id, name, input } = call;
  // Code mode: the script is the call, and it fails with what one of its tools says.
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

/** The failure in what a script gave; one that the script keeps to itself is not to be known. */
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
 * The command that Codex's own policy refuses, where it is told, and why. All others are items, also
 * those that do not start or that the user declines.
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

/** The files that a patch names. In a script its lines may end as they do in a string. */
function filesOf(patch: string): string[] {
  const found = patch
    .slice(0, MAX_CHARS)
    .matchAll(/\*\*\* (?:Add|Update|Delete) File: (.+?)(?=\\n|\n|\r|"|'|`|$)/g);
  return [...new Set(Array.from(found, (it) => (it[1] ?? "").trim()))].slice(0, MAX_FILES);
}

/** The script of a command's call; what it was called with, where that is of another form. */
function commandOf(input: string): string {
  try {
    const command = Command.safeParse(JSON.parse(input));
    return (command.success ? command.data.cmd : input).slice(0, MAX_CHARS);
  } catch {
    return input.slice(0, MAX_CHARS);
  }
}

/** The patch that a script of a shell's holds in a heredoc. */
function patchIn(script: string): string {
  return /\*\*\* Begin Patch[\s\S]*?(?:\*\*\* End Patch|$)/.exec(script)?.[0] ?? script;
}
