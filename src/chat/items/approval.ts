import type { Field } from "../../codex/server-requests/index.ts";
import { brokenLine } from "../columns.ts";
import { unwrapShell } from "../command-text.ts";
import { visible } from "../control-characters.ts";
import type { LocalEvent, NetworkQuestion, Question, UserDecision } from "../event.ts";
import { codeSpan, fenced, shownPath } from "../fences.ts";
import { maxOpenItems } from "../limits.ts";
import { sanitizedLines } from "../markdown/index.ts";
import {
  append,
  type Draft,
  insertBelow,
  noteOmitted,
  oneLine,
  patchState,
} from "../reducer-context.ts";
import { omittedBlock } from "../spent.ts";
import type { OpenApproval, OpenCommand } from "../state.ts";
import { whyNotAsked } from "./asked.ts";
import { answerCommand, askCommand, startCommand } from "./command-item.ts";
import { answerPatch, askPatch } from "./patch-item.ts";

type ApprovalEvent = Extract<LocalEvent, { type: "approval_requested" | "approval_resolved" }>;

/** Shows a question, or the answer to one. */
export function reduceApproval(draft: Draft, event: ApprovalEvent): void {
  if (event.type === "approval_requested") request(draft, event.approval);
  else resolve(draft, event);
}

/** SECURITY: everything that is asked for is shown in full and unfolded; the model wrote it. */
function request(draft: Draft, approval: Question): void {
  if (draft.state.approvals.has(approval.id)) return;
  if (whyNotAsked(draft.state, approval)?.kind === "many") {
    noteOmitted(draft, { questions: 1 });
    return;
  }
  const open = ask(draft, approval);
  const { spent } = draft.state;
  patchState(draft, {
    approvals: new Map(draft.state.approvals).set(approval.id, open),
    spent: { ...spent, asked: spent.asked + 1 },
  });
}

function ask(draft: Draft, approval: Question): OpenApproval {
  switch (approval.kind) {
    case "command": {
      const { itemId, network } = approval;
      if (network !== undefined) {
        const target = codeSpan(`${network.protocol}://${network.host}`, 320);
        return askWithoutItem(
          draft,
          `**Asks** to reach ${target}`,
          approval.reason,
          approval.command,
        );
      }
      let item = draft.state.items.get(itemId);
      if (item === undefined && approval.command !== undefined) {
        const cwd = approval.cwd ?? draft.state.root;
        item =
          draft.state.items.size < maxOpenItems
            ? startCommand(draft, itemId, approval.command, cwd, false, "asks")
            : undefined;
      }
      // SECURITY: shows what is asked for now, whatever an item with this id was before.
      const isItsOwn = item?.kind === "command" && isShownBy(approval, item);
      if (item?.kind !== "command" || !isItsOwn || item.block === omittedBlock) {
        const { cwd, reason } = approval;
        const command =
          approval.command ?? (isItsOwn && item?.kind === "command" ? item.script : undefined);
        const where =
          cwd === undefined ? "" : ` in ${codeSpan(shownPath(cwd, draft.state.root), 300)}`;
        const why = command === undefined ? withoutDetails(reason) : reason;
        return askWithoutItem(draft, `**Asks** to run a command${where}`, why, command);
      }
      const asked = askCommand(draft, itemId, item, approval.reason);
      return { block: asked.block, itemId, summary: "" };
    }
    case "patch": {
      const { itemId, grantRoot } = approval;
      const item = draft.state.items.get(itemId);
      const first = item?.kind === "patch" ? item.files[0] : undefined;
      if (item?.kind !== "patch" || first === undefined) {
        return askWithoutItem(
          draft,
          "**Asks** to change files",
          withoutDetails(approval.reason),
          undefined,
        );
      }
      const wider =
        grantRoot === undefined
          ? approval.reason
          : `${approval.reason ?? ""}\n\nAsks to write below ${codeSpan(shownPath(grantRoot, draft.state.root))} from now on.`;
      askPatch(draft, itemId, item, wider);
      return { block: first.block, itemId, summary: "" };
    }
    case "questions": {
      const { server, title, fields } = approval;
      const who = server === undefined ? "" : `${codeSpan(server, 100)}: `;
      return askWithoutItem(
        draft,
        `**Asks** ${who}${oneLine(title, 300)}`,
        questionText(fields),
        undefined,
      );
    }
    case "tool": {
      const { server, tool, message, detail } = approval;
      const what = `${codeSpan(tool, 100)} of ${codeSpan(server, 100)}`;
      return askWithoutItem(draft, `**Asks** to use ${what}`, message, detail);
    }
    case "page": {
      const { server, message, url } = approval;
      return askWithoutItem(
        draft,
        `**Asks** ${codeSpan(server, 100)}: to open a page`,
        message,
        url,
      );
    }
    case "network":
      return askNetwork(draft, approval);
    default:
      return approval satisfies never;
  }
}

/** Whether an item shows exactly the command and directory that are asked for. */
function isShownBy(
  { command, cwd }: Extract<Question, { kind: "command" }>,
  item: OpenCommand,
): boolean {
  if (command !== undefined && unwrapShell(command) !== item.script) return false;
  return cwd === undefined || cwd === item.cwd;
}

/** Adds to the reason that Codex did not say what exactly it asks for. */
function withoutDetails(reason: string | undefined): string {
  const words = "Codex did not say exactly what.";
  return reason === undefined ? words : `${reason}\n\n${words}`;
}

/** SECURITY: the sandbox chose the host, so only its name is shown. */
function askNetwork(draft: Draft, { target, entry }: NetworkQuestion): OpenApproval {
  const summary = `**Asks** to reach ${codeSpan(target, 300)}`;
  const config = codeSpan(`network.allow = { "${entry}" }`, 320);
  const block = append(draft, [summary], "asks");
  insertBelow(draft, block, [
    `> A program in the sandbox is waiting for this. What it sends there is not inspected. ${config} allows it permanently.`,
  ]);
  return { block, itemId: undefined, summary, isNetwork: true };
}

/** Questions as text; the options are numbered by their keys. */
function questionText(fields: readonly Field[]): string {
  return fields
    .map((field) => {
      const { label, description } = field;
      const about = description === undefined ? [] : ["", description];
      const listed = optionsOf(field).map((option, n) => `${n + 1}. ${option}`);
      const head = [`**${oneLine(label, 200)}**`, ...hints(field)].join(" · ");
      return [head, ...about, ...(listed.length === 0 ? [] : ["", ...listed])].join("\n");
    })
    .join("\n\n");
}

function optionsOf({ type, options, other }: Field): string[] {
  if (type === "boolean") return ["Yes", "No"];
  const named = options.map(({ label, description }) => {
    const about = description === "" ? "" : ` — ${oneLine(description, 300)}`;
    return `${oneLine(label, 200)}${about}`;
  });
  return other && named.length > 0 ? [...named, "Something else"] : named;
}

const FORMATS = {
  email: "an email address",
  uri: "an address with its scheme",
  date: "a date such as 2026-01-31",
  "date-time": "a time such as 2026-01-31T12:00:00Z",
};

/** Short hints about a valid answer. */
function hints(field: Field): string[] {
  const { type, format, min, max, required, secret } = field;
  const bounds =
    min !== undefined && max !== undefined
      ? `${min} to ${max}`
      : min !== undefined
        ? `${min} or more`
        : max !== undefined
          ? `at most ${max}`
          : "";
  const of = bounds === "" ? "" : `, ${bounds}`;
  return [
    ...(type === "integer" ? [`a whole number${of}`] : []),
    ...(type === "number" ? [`a number${of}`] : []),
    ...(type === "text" && format !== undefined ? [FORMATS[format]] : []),
    ...(type === "text" && bounds !== "" ? [`${bounds} characters`] : []),
    ...(type === "choices" ? [`any of these${of}`] : []),
    ...(secret ? ["kept out of this text"] : []),
    ...(required ? [] : ["optional"]),
  ];
}

/** Asks for something that is not shown as an item. */
function askWithoutItem(
  draft: Draft,
  summary: string,
  reason: string | undefined,
  detail: string | undefined,
): OpenApproval {
  const block = append(draft, [summary], "asks");
  let anchor = block;
  const quote = reason === undefined ? [] : sanitizedLines(reason, "> ");
  if (quote.length > 0) anchor = insertBelow(draft, anchor, quote);
  if (detail !== undefined && detail !== "") {
    const lines = detail
      .replaceAll("\r\n", "\n")
      .split("\n")
      .flatMap((line) => brokenLine(visible(line)));
    insertBelow(draft, anchor, fenced(lines, "text request"));
  }
  return { block, itemId: undefined, summary };
}

function resolve(draft: Draft, event: Extract<ApprovalEvent, { type: "approval_resolved" }>): void {
  const { id, decision, reason, said } = event;
  const approval = draft.state.approvals.get(id);
  if (approval === undefined) return;
  const unanswered =
    event.unanswered === undefined ? undefined : `not answered: ${oneLine(event.unanswered, 300)}`;
  const approvals = new Map(draft.state.approvals);
  approvals.delete(id);
  patchState(draft, { approvals });
  const why = reason === undefined ? "" : oneLine(reason, 300);
  const { itemId } = approval;
  const item = itemId === undefined ? undefined : draft.state.items.get(itemId);
  if (itemId === undefined || item === undefined) {
    const outcome = said === undefined ? unanswered : `answered: ${oneLine(said, 300)}`;
    const answer =
      outcome ?? (approval.isNetwork ? networkText(decision, why) : answerText(decision, why));
    const lines = [`${approval.summary} · ${answer}`];
    if (approval.summary !== "") draft.edits.push({ op: "replace", id: approval.block, lines });
    return;
  }
  const accepted = decision === "accept" || decision === "accept_session";
  const phase = accepted ? "running" : "declined";
  const answer = accepted
    ? answerText(decision, why)
    : (unanswered ?? (why === "" ? undefined : why));
  if (item.kind === "command") answerCommand(draft, itemId, item, phase, answer);
  else if (item.kind === "patch") answerPatch(draft, itemId, item, phase, answer);
}

function networkText(decision: UserDecision, why: string): string {
  switch (decision) {
    case "accept":
      return "allowed in this turn";
    case "accept_session":
      return "allowed in this conversation";
    case "accept_project":
      return "allowed in this project";
    case "decline":
      return why === "" ? "refused" : `refused: ${why}`;
    case "cancel":
      return "refused, and the turn is over";
    default:
      return decision satisfies never;
  }
}

function answerText(decision: UserDecision, why: string): string {
  switch (decision) {
    case "accept":
      return "approved";
    case "accept_session":
    case "accept_project":
      return "approved for this chat";
    case "decline":
      return why === "" ? "declined" : `declined: ${why}`;
    case "cancel":
      return "declined, and the turn stopped";
    default:
      return decision satisfies never;
  }
}
