import type { Item } from "../codex/index.ts";
import { oneLine } from "./draft.ts";
import { codeSpan, duration, fenced, shownPath } from "./markdown.ts";
import { wholeOutput } from "./output.ts";
import { proseLines } from "./prose.ts";

/** How a step stands: it runs, has ended as its item says, or was cut off by the turn's end. */
export type StepPhase = "running" | "done" | "stopped";

/** A step in markdown: one line, and what stands below it in a fold, or open where there is no label. */
export type StepText = {
  readonly summary: string;
  readonly details: readonly string[];
  readonly label?: string;
};

/** The items that are told as steps: all but the model's words, commands, patches and the user's. */
export type StepItem = Exclude<
  Item,
  {
    type: "userMessage" | "agentMessage" | "plan" | "reasoning" | "commandExecution" | "fileChange";
  }
>;

/**
 * Gives the markdown of a step.
 *
 * SECURITY: names, arguments, results and paths come from the model, from tools and from the web:
 * they stand in code spans, fences and quotations that nothing in them can leave.
 */
export function stepText(item: StepItem, phase: StepPhase, root: string): StepText {
  switch (item.type) {
    case "mcpToolCall": {
      const failed = item.status === "failed";
      const said = contentTexts(item.result?.content);
      const output = failed && item.error != null ? [item.error.message] : said;
      const structured = item.result?.structuredContent;
      if (output.length === 0 && structured != null) output.push(json(structured));
      return call(`${item.server}.${item.tool}`, item, failed, output, phase);
    }
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
    case "webSearch":
      return line(search(item, phase));
    case "imageView":
      return line(`**Viewed** ${codeSpan(shownPath(item.path, root))}`);
    case "imageGeneration": {
      const failed = item.status === "failed";
      const verb = { running: "Drawing", done: failed ? "Failed" : "Drew", stopped: "Stopped" }[
        phase
      ];
      const details = item.revisedPrompt == null ? [] : proseLines(item.revisedPrompt, "> ");
      const what = verb === "Failed" || verb === "Stopped" ? "drawing an image" : "an image";
      // Kept beside the conversation by the session, which makes such names and no others.
      if (/^images\/[A-Za-z0-9_-]+\.(?:png|jpg|webp|gif)$/.test(item.savedPath ?? ""))
        return { summary: `**${verb}** ![${what}](${item.savedPath})`, details };
      const where = item.savedPath == null ? "" : ` · ${codeSpan(shownPath(item.savedPath, root))}`;
      return { summary: `**${verb}** ${what}${where}`, details };
    }
    case "collabAgentToolCall":
      return collaboration(item, phase);
    case "subAgentActivity":
      return line(note(`sub-agent ${codeSpan(item.agentPath)} ${subAgentDoes(item.kind)}.`));
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
      return line(note(`review of ${oneLine(item.review, 300)} began.`));
    case "exitedReviewMode":
      return { summary: "**Review**", details: ["", ...proseLines(item.review)] };
    case "hookPrompt":
      return { summary: "> **Hook**", details: hookLines(item.fragments) };
    case "unknown": {
      const details = item.text === "" ? [] : [">", ...proseLines(item.text.slice(0, 4000), "> ")];
      return {
        summary: note(`${codeSpan(item.kind)}, which this version has no form for.`),
        details,
      };
    }
    default:
      return item satisfies never;
  }
}

function line(summary: string): StepText {
  return { summary, details: [] };
}

function note(text: string): string {
  return `> **Note:** ${text}`;
}

type Called = { readonly arguments?: unknown; readonly durationMs?: number | null | undefined };

function call(
  name: string,
  item: Called,
  failed: boolean,
  output: readonly string[],
  phase: StepPhase,
): StepText {
  const verb = { running: "Calling", done: failed ? "Failed" : "Called", stopped: "Stopped" }[
    phase
  ];
  const time = phase === "done" && item.durationMs != null ? ` · ${duration(item.durationMs)}` : "";
  const summary = `**${verb}** ${codeSpan(name)}${time}`;
  if (phase === "running") return line(summary);
  const details: string[] = [];
  const empty = item.arguments == null || json(item.arguments) === "{}";
  if (!empty) details.push(...fenced(wholeOutput(json(item.arguments)), "json arguments"));
  const text = output.filter((part) => part !== "").join("\n");
  if (text !== "") details.push(...fenced(wholeOutput(text), "text result"));
  return { summary, details, label: "call" };
}

/** The texts in a tool's result; what is not text is named. */
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
    const about = [type, inner["uri"], fields["uri"], fields["mimeType"]];
    const what = about.filter((it) => typeof it === "string").join(" ");
    return /image|audio|blob|resource/i.test(String(type)) ? `(${what})` : json(part);
  });
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
    return `**${running ? "Opening" : "Opened"}** ${codeSpan(action.url ?? item.query, 200)}`;
  }
  if (action?.type === "findInPage") {
    const where = action.url == null ? "" : ` in ${codeSpan(action.url, 200)}`;
    return `**${running ? "Looking" : "Looked"}** for ${codeSpan(action.pattern ?? item.query)}${where}`;
  }
  const queries = action?.queries ?? [];
  const asked = queries.length > 0 ? queries : [action?.query ?? item.query];
  const spans = asked.filter((query) => query !== "").map((query) => codeSpan(query));
  const what = spans.length === 0 ? "" : ` for ${spans.join(", ")}`;
  return `**${running ? "Searching" : "Searched"}** the web${what}`;
}

const COLLABORATION: Readonly<Record<string, string>> = {
  spawnAgent: "**Started** a sub-agent",
  sendInput: "**Told** a sub-agent",
  sendMessage: "**Told** a sub-agent",
  followupTask: "**Told** a sub-agent what comes next",
  resumeAgent: "**Resumed** a sub-agent",
  wait: "**Waited** for sub-agents",
  closeAgent: "**Closed** a sub-agent",
  interruptAgent: "**Interrupted** a sub-agent",
  listAgents: "**Listed** the sub-agents",
};

function collaboration(
  item: Extract<StepItem, { type: "collabAgentToolCall" }>,
  phase: StepPhase,
): StepText {
  const what = COLLABORATION[item.tool] ?? `**Called** ${codeSpan(item.tool)} for sub-agents`;
  const model = item.model == null ? "" : ` · ${codeSpan(item.model)}`;
  const end =
    phase === "running"
      ? " …"
      : phase === "stopped" || item.status === "interrupted"
        ? " · stopped"
        : item.status === "failed"
          ? " · failed"
          : "";
  if (phase === "running") return line(`${what}${model}${end}`);
  const details = item.prompt == null ? [] : proseLines(item.prompt, "> ");
  // Before and after the waiting they only say that they begin, and what was said already.
  const states = item.tool === "wait" ? Object.entries(item.agentsStates ?? {}).slice(0, 50) : [];
  for (const [agent, { status, message }] of states) {
    if (details.length > 0) details.push(">");
    // The end of a thread's id tells it apart: the first half of it is a time.
    const name = states.length > 1 ? ` ${codeSpan(agent.slice(-8))}` : "";
    details.push(`> Sub-agent${name}: ${oneLine(status, 40)}`);
    if (message != null) details.push(">", ...proseLines(message, "> "));
  }
  return { summary: `${what}${model}${end}`, details, label: "sub-agent" };
}

function subAgentDoes(kind: string): string {
  switch (kind) {
    case "started":
      return "started";
    case "interacted":
      return "was told more";
    case "interrupted":
      return "was interrupted";
    case "completed":
      return "is done";
    default:
      return oneLine(kind, 40);
  }
}

function hookLines(fragments: readonly { readonly text: string }[]): string[] {
  return [">", ...proseLines(fragments.map((fragment) => fragment.text).join("\n\n"), "> ")];
}
