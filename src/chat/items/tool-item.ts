import type { Item } from "../../codex/messages/index.ts";
import { cutAt } from "../control-characters.ts";
import { codeSpan, countOf, duration, fenced, shownPath, spaced } from "../fences.ts";
import { sanitizedLines } from "../markdown/index.ts";
import { oneLine } from "../reducer-context.ts";
import { wholeOutput } from "./command-output.ts";

/** The phase of a step: it runs, has ended as its item says, or was cut off by the turn's end. */
export type StepPhase = "running" | "done" | "stopped";

/** A step as markdown: a summary line, and details in a fold, or unfolded if there is no label. */
export type StepText = {
  readonly summary: string;
  readonly details: readonly string[];
  readonly label?: string;
};

/**
 * The items shown as steps: all but the model's texts, commands, patches and the user's messages.
 */
export type StepItem = Exclude<
  Item,
  {
    type: "userMessage" | "agentMessage" | "plan" | "reasoning" | "commandExecution" | "fileChange";
  }
>;

/**
 * Renders a step as markdown.
 *
 * SECURITY: names, arguments, results and paths come from the model, from tools and from the web.
 * They are put into code spans, fences and quotations that they cannot end.
 */
export function stepText(item: StepItem, phase: StepPhase, root: string): StepText {
  switch (item.type) {
    case "mcpToolCall":
      return call(
        `${item.server}.${item.tool}`,
        { ...item, data: structuredOf(item) },
        item.status === "failed",
        mcpOutput(item),
        phase,
      );
    case "dynamicToolCall": {
      const name = item.namespace == null ? item.tool : `${item.namespace}.${item.tool}`;
      const failed = item.status === "failed" || item.success === false;
      return call(name, item, failed, contentTexts(item.contentItems), phase);
    }
    case "functionCallOutput": {
      const name = item.namespace == null ? item.name : `${item.namespace}.${item.name}`;
      const output = typeof item.output === "string" ? [item.output] : contentTexts(item.output);
      return call(name, {}, false, output, phase);
    }
    case "webSearch": {
      const summary = search(item, phase);
      const results = item.results ?? [];
      if (phase === "running" || results.length === 0) return line(summary);
      const details = fenced(wholeOutput(json(results)), "json results");
      return { summary, details, label: "results" };
    }
    case "imageView":
      return line(`**Viewed** ${codeSpan(shownPath(item.path, root))}`);
    case "imageGeneration": {
      const failed = item.status === "failed" || item.failure != null;
      const verb = { running: "Drawing", done: failed ? "Failed" : "Drew", stopped: "Stopped" }[
        phase
      ];
      const details = item.revisedPrompt == null ? [] : sanitizedLines(item.revisedPrompt, "> ");
      const what = verb === "Failed" || verb === "Stopped" ? "drawing an image" : "an image";
      // Saved beside the conversation by the session, under a name of exactly this form.
      if (/^images\/[A-Za-z0-9_-]+\.(?:png|jpg|webp|gif)$/.test(item.savedPath ?? ""))
        return { summary: `**${verb}** ![${what}](${item.savedPath})`, details };
      const why = item.failure == null ? "" : ` · ${oneLine(spaced(item.failure.type), 40)}`;
      const where = item.savedPath == null ? "" : ` · ${codeSpan(shownPath(item.savedPath, root))}`;
      return { summary: `**${verb}** ${what}${why}${where}`, details };
    }
    case "collabAgentToolCall":
      return collaboration(item, phase);
    case "subAgentActivity":
      return line(
        note(
          `${item.agentPath === "" ? "a sub-agent" : `sub-agent ${codeSpan(item.agentPath)}`} ${subAgentAction(item.kind)}.`,
        ),
      );
    case "sleep":
      return line(
        `**${phase === "running" ? "Waiting" : phase === "stopped" ? "Stopped waiting" : "Waited"}** · ${duration(item.durationMs)}`,
      );
    case "contextCompaction":
      return line(
        note(
          phase === "running"
            ? "compacting the conversation to fit the model's context window …"
            : phase === "stopped"
              ? "compacting the conversation was stopped."
              : "the conversation was compacted to fit the model's context window.",
        ),
      );
    case "enteredReviewMode":
      return line(
        note(
          item.review.trim() === ""
            ? "a review began."
            : `review of ${oneLine(item.review, 300)} began.`,
        ),
      );
    case "exitedReviewMode": {
      const lines = sanitizedLines(item.review);
      return lines.length === 0
        ? line("**Review** · without text")
        : { summary: "**Review**", details: ["", ...lines] };
    }
    case "hookPrompt":
      return {
        summary: "> **Hook**",
        details: quotedParagraph(item.fragments.map((fragment) => fragment.text).join("\n\n")),
      };
    case "unknown":
      return unknownItem(item);
    default:
      return item satisfies never;
  }
}

/** An item of an unknown kind. SECURITY: all of it is shown as plain text only. */
function unknownItem(item: Extract<StepItem, { type: "unknown" }>): StepText {
  const summary = note(`${codeSpan(item.kind)}, a kind that this version does not know.`);
  if (item.fields !== undefined) {
    const details = fenced(wholeOutput(item.fields), "json item");
    return { summary, details, label: "item" };
  }
  const text = cutAt(item.text, maxUnknownChars);
  const left = item.text.length - text.length;
  const cut = left === 0 ? "" : `\n\n… ${countOf(left, "more character")}`;
  return { summary, details: quotedParagraph(text + cut) };
}

/** The most characters shown of an item of an unknown kind. */
const maxUnknownChars = 4000;

/** A text as the next paragraph of the quotation above it; no lines if it is empty. */
function quotedParagraph(text: string): string[] {
  const lines = sanitizedLines(text, "> ");
  return lines.length === 0 ? [] : [">", ...lines];
}

function line(summary: string): StepText {
  return { summary, details: [] };
}

function note(text: string): string {
  return `> **Note:** ${text}`;
}

type ToolCall = {
  readonly arguments?: unknown;
  readonly durationMs?: number | null | undefined;
  readonly status?: string;
  /** Its result besides text. */
  readonly data?: unknown;
};

/** The error of an MCP tool call, and the texts of its result. */
function mcpOutput(item: Extract<StepItem, { type: "mcpToolCall" }>): string[] {
  const said = contentTexts(item.result?.content);
  return item.error == null ? said : [item.error.message, ...said];
}

/**
 * A tool's structured result; undefined if one of its texts repeats it, as for text-only clients.
 */
function structuredOf(item: Extract<StepItem, { type: "mcpToolCall" }>): unknown {
  const data = item.result?.structuredContent;
  const said = contentTexts(item.result?.content);
  return data == null || said.some((text) => isSameJson(text, data)) ? undefined : data;
}

function isSameJson(text: string, value: unknown): boolean {
  try {
    return JSON.stringify(JSON.parse(text)) === JSON.stringify(value);
  } catch {
    return false;
  }
}

function call(
  name: string,
  item: ToolCall,
  failed: boolean,
  output: readonly string[],
  phase: StepPhase,
): StepText {
  const verb = { running: "Calling", done: failed ? "Failed" : "Called", stopped: "Stopped" }[
    phase
  ];
  const time = phase === "done" && item.durationMs != null ? ` · ${duration(item.durationMs)}` : "";
  const { status = "completed" } = item;
  const isOdd = phase === "done" && !["inProgress", "completed", "failed"].includes(status);
  const statusText = isOdd && status !== "" ? ` · ${oneLine(spaced(status), 40)}` : "";
  const summary = `**${verb}** ${codeSpan(name)}${statusText}${time}`;
  if (phase === "running") return line(summary);
  const details: string[] = [];
  const empty = item.arguments == null || json(item.arguments) === "{}";
  if (!empty) details.push(...fenced(wholeOutput(json(item.arguments)), "json arguments"));
  const text = output.filter((part) => part !== "").join("\n");
  if (text !== "") details.push(...fenced(wholeOutput(text), "text result"));
  if (item.data !== undefined) details.push(...fenced(wholeOutput(json(item.data)), "json data"));
  return { summary, details, label: "call" };
}

/** The texts in a tool's result; other content is only described. */
function contentTexts(content: unknown): string[] {
  if (!Array.isArray(content)) return content == null ? [] : [json(content)];
  return content.map((part: unknown) => {
    if (typeof part === "string") return part;
    if (typeof part !== "object" || part === null) return json(part);
    if ("text" in part && typeof part.text === "string") return part.text;
    const fields: { readonly [name: string]: unknown } = { ...part };
    const { type, resource } = fields;
    const inner: { readonly [name: string]: unknown } =
      typeof resource === "object" && resource !== null ? { ...resource } : {};
    if (typeof inner["text"] === "string") return inner["text"];
    const about = [kindOf(type), fields["name"], inner["uri"], fields["uri"], fields["mimeType"]];
    const what = about.filter((part) => typeof part === "string").join(" ");
    return /image|audio|blob|resource|encrypted/i.test(String(type)) ? `(${what})` : json(part);
  });
}

/** `image` for `inputImage` and `input_image`, the names in two protocols. */
function kindOf(type: unknown): string {
  return String(type).replace(/^input_?(image|audio)$/i, (_, kind: string) => kind.toLowerCase());
}

function json(value: unknown): string {
  if (typeof value === "string") return value;
  try {
    return JSON.stringify(value, null, 2) ?? "";
  } catch {
    return String(value);
  }
}

function search(item: Extract<StepItem, { type: "webSearch" }>, phase: StepPhase): string {
  const { action } = item;
  const running = phase === "running";
  if (action?.type === "openPage") {
    const page = [action.url ?? "", item.query].find((text) => text !== "");
    const what = page === undefined ? "a page" : codeSpan(page, 200);
    return `**${running ? "Opening" : "Opened"}** ${what}`;
  }
  if (action?.type === "findInPage") {
    const where = action.url == null ? "" : ` in ${codeSpan(action.url, 200)}`;
    const pattern = [action.pattern ?? "", item.query].find((text) => text !== "");
    const what = pattern === undefined ? "something" : codeSpan(pattern);
    return `**${running ? "Looking" : "Looked"}** for ${what}${where}`;
  }
  const queries = action?.queries ?? [];
  const asked = queries.length > 0 ? queries : [action?.query ?? item.query];
  const spans = asked.filter((query) => query !== "").map((query) => codeSpan(query));
  const what = spans.length === 0 ? "" : ` for ${spans.join(", ")}`;
  return `**${running ? "Searching" : "Searched"}** the web${what}`;
}

/** Actions on sub-agents: the verb while running, the verb when done, and the object. */
const COLLABORATION: Readonly<Record<string, readonly [string, string, string]>> = {
  spawnAgent: ["Starting", "Started", "a sub-agent"],
  sendInput: ["Telling", "Told", "a sub-agent"],
  sendMessage: ["Telling", "Told", "a sub-agent"],
  followupTask: ["Telling", "Told", "a sub-agent what comes next"],
  resumeAgent: ["Resuming", "Resumed", "a sub-agent"],
  wait: ["Waiting", "Waited", "for sub-agents"],
  closeAgent: ["Closing", "Closed", "a sub-agent"],
  interruptAgent: ["Interrupting", "Interrupted", "a sub-agent"],
  listAgents: ["Listing", "Listed", "the sub-agents"],
};

function collaboration(
  item: Extract<StepItem, { type: "collabAgentToolCall" }>,
  phase: StepPhase,
): StepText {
  const [running, done, whom] = COLLABORATION[item.tool] ?? [
    "Calling",
    "Called",
    `${codeSpan(item.tool)} for sub-agents`,
  ];
  const what = `**${phase === "running" ? running : done}** ${whom}`;
  const model = item.model == null || item.model === "" ? "" : ` · ${codeSpan(item.model)}`;
  const end =
    phase === "running"
      ? " …"
      : phase === "stopped" || item.status === "interrupted"
        ? " · stopped"
        : item.status === "failed"
          ? " · failed"
          : "";
  if (phase === "running") return line(`${what}${model}${end}`);
  const details = item.prompt == null ? [] : sanitizedLines(item.prompt, "> ");
  // Other actions only report that an agent starts, or repeat what was shown.
  const showsStates = ["wait", "listAgents"].includes(item.tool) || item.status === "failed";
  const states = showsStates ? Object.entries(item.agentsStates ?? {}).slice(0, 50) : [];
  for (const [agent, { status, message }] of states) {
    if (details.length > 0) details.push(">");
    // The end of a thread's id identifies it; the first half is a time.
    const name = states.length > 1 ? ` ${codeSpan(agent.slice(-8))}` : "";
    details.push(`> Sub-agent${name}: ${oneLine(spaced(status), 40)}`);
    if (message != null) details.push(">", ...sanitizedLines(message, "> "));
  }
  return { summary: `${what}${model}${end}`, details, label: "sub-agent" };
}

function subAgentAction(kind: string): string {
  switch (kind) {
    case "started":
      return "started";
    case "interacted":
      return "got another message";
    case "interrupted":
      return "was interrupted";
    case "completed":
      return "is done";
    default:
      return oneLine(kind, 40);
  }
}
