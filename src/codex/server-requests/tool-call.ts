import * as z from "zod";
import { Id } from "../id.ts";

/** A call of one of the editor's tools (`item/tool/call`). */
export const ToolCall = z.object({
  threadId: Id,
  namespace: z.string().nullish().catch(null),
  tool: z.string().max(200),
  arguments: z.record(z.string(), z.unknown()).catch({}),
});
export type ToolCall = z.infer<typeof ToolCall>;

/** The tool's output, or why it failed. */
export type ToolAnswer = { readonly ok: boolean; readonly text: string };

/** Codex's own form of the answer. */
export function toolResult({ ok, text }: ToolAnswer): unknown {
  return { contentItems: [{ type: "inputText", text }], success: ok };
}
