import * as z from "zod";
import { findSections, linesOf } from "../../chat/format/index.ts";
import type { ResultOf } from "../../codex/index.ts";
import { ok, type Result } from "../../result.ts";
import { placeQueries, type ThreadTurn } from "../document/index.ts";
import type { Failure } from "../failure.ts";
import type { LoadedThread } from "./loaded-thread.ts";

/** How many turns are read at a time; a turn with megabytes of output is one line of JSON. */
const PAGE = 50;

/** All turns of a thread, oldest first. */
export async function listTurns({
  client,
  threadId,
}: LoadedThread): Promise<Result<ThreadTurn[], Failure>> {
  const turns: ThreadTurn[] = [];
  let cursor: string | undefined;
  do {
    const page = await client.request("thread/turns/list", {
      threadId,
      limit: PAGE,
      sortDirection: "asc",
      itemsView: "full",
      ...(cursor === undefined ? {} : { cursor }),
    });
    if (!page.ok) return page;
    turns.push(...page.value.data.map(turnOf));
    cursor = page.value.nextCursor ?? undefined;
  } while (cursor !== undefined);
  return ok(turns);
}

/** Whether the last turn of a thread has the last query of a text, which is then not sent again. */
export async function hasLastQuery(loaded: LoadedThread, text: string): Promise<boolean> {
  const turns = await listTurns(loaded);
  if (!turns.ok || turns.value.length === 0) return false;
  const sections = findSections(linesOf(text));
  const prompt = sections.at(-1)?.role === "user" ? sections.at(-1) : undefined;
  const queries = sections.filter((section) => section.role === "user" && section !== prompt);
  return placeQueries(queries, turns.value).at(-1)?.turn === turns.value.length - 1;
}

type ListedTurn = ResultOf<"thread/turns/list">["data"][number];

function turnOf({ id, items }: ListedTurn): ThreadTurn {
  const messages = items.flatMap((item) =>
    // Messages that Codex writes in the user's name have no id of the editor.
    item.type === "userMessage" && item.clientId?.startsWith("user:")
      ? [item.content.flatMap(textOf)]
      : [],
  );
  return { id, messages };
}

const TextInput = z.object({ type: z.literal("text"), text: z.string() });

function textOf(input: unknown): string[] {
  const parsed = TextInput.safeParse(input);
  return parsed.success ? [parsed.data.text] : [];
}
