import * as z from "zod";
import { Done, NoParams } from "./shapes.ts";

const ChangedFile = z
  .object({
    path: z.string(),
    old: z.string().optional().describe("its path before, if that was another one"),
    change: z.enum(["created", "deleted", "changed", "renamed", "mode"]),
    added: z.int().optional().describe("lines; absent for a file that is not text"),
    removed: z.int().optional(),
    ignored: z.boolean().describe("whether the project's ignore rules hide it"),
  })
  .meta({ id: "ChangedFile" });

const Changes = z
  .object({
    title: z.string().describe("since when, as words"),
    left: z.string().describe("the checkpoint that the files are compared with"),
    files: z.array(ChangedFile),
    unknown: z.array(z.string()).describe("files that changed, and whose content is not on record"),
  })
  .meta({ id: "Changes" });

/** The name of a checkpoint. */
const Commit40 = z.string().regex(/^[0-9a-f]{40}$/);

/** Lines that differ, as vim.diff() counts them: the first line, 1-based, and how many. */
const Hunk = z.object({
  left: z.tuple([z.int(), z.int()]),
  right: z.tuple([z.int(), z.int()]),
});

const NewLeft = z
  .object({ left: z.string().describe("the checkpoint to compare with from now on") })
  .meta({ id: "NewLeft" });

/** A comment on lines of a file, for Codex. */
const Comment = z
  .object({
    id: z.string(),
    path: z.string(),
    side: z.enum(["left", "right"]).describe("the file before the change, or as it is"),
    first: z.int().describe("1-based"),
    last: z.int(),
    code: z.array(z.string()).describe("these lines when the comment was written"),
    text: z.string(),
  })
  .meta({ id: "Comment" });

const Undone = z
  .object({
    queries: z.array(z.string()).describe("the turns, by the beginning of their queries, quoted"),
    files: z.array(
      z
        .object({ path: z.string(), change: z.enum(["created", "deleted", "changed"]) })
        .meta({ id: "RestoredFile" }),
    ),
    conflicts: z.array(
      z
        .object({
          path: z.string(),
          why: z.string(),
          wanted: z.string().optional().describe("a file with the content that it was to get"),
        })
        .meta({ id: "RestoreConflict" }),
    ),
    others: z.array(z.string()).describe("conversations that worked at the same time"),
  })
  .meta({ id: "Undone" });

const ProposedFile = z
  .object({
    path: z.string().describe("with the patch"),
    old: z.string().optional().describe("its path before, if that was another one"),
    change: z.enum(["created", "deleted", "changed", "renamed"]),
    before: z
      .string()
      .optional()
      .describe("a file with the content it has; absent: it is not there"),
    after: z.string().optional().describe("a file with the content it is to get"),
    why: z.string().optional().describe('why that is not known: completes "cannot be edited: "'),
  })
  .meta({ id: "ProposedFile" });

const Proposal = z
  .object({
    left: z.string().describe("the checkpoint of the files as they are"),
    proposed: z.string().describe("the same with the patch"),
    fixed: z.string().optional().describe("why the patch can be looked at only"),
    files: z.array(ProposedFile),
  })
  .meta({ id: "Proposal" });

const EditedPatch = z
  .object({
    files: z.array(z.string()).describe("those that were changed"),
    conflicts: z
      .array(z.string())
      .describe("those that somebody else changed in that moment, and that are as they were"),
  })
  .meta({ id: "EditedPatch" });

/** Actions on what Codex has changed in the project's files, or wants to change. */
export const changeActions = {
  "changes/list": {
    params: z.object({
      since: z
        .union([z.enum(["turn", "all"]), z.int().positive()])
        .default("turn")
        .describe(
          "since the turn at the row, the conversation's beginning, or its turn of this number",
        ),
      row: z.int().nonnegative().optional().describe("absent: the last turn that changed anything"),
      quick: z
        .boolean()
        .default(false)
        .describe("compares with the last checkpoint, without looking at the files again"),
    }),
    result: Changes,
  },
  "changes/file": {
    params: z.object({ left: Commit40, path: z.string() }),
    result: z
      .object({ content: z.string().optional().describe("a file with the content it had") })
      .meta({ id: "FileBefore" }),
  },
  "changes/accept": {
    params: z.object({
      left: Commit40,
      files: z.array(
        z.object({
          path: z.string(),
          hunks: z.array(Hunk).optional().describe("absent: the whole file"),
          sha256: z.string().optional().describe("of the file that the hunks were found in"),
        }),
      ),
    }),
    result: NewLeft,
  },
  "changes/unaccept": { params: NoParams, result: NewLeft },
  "changes/reject": {
    params: z.object({ left: Commit40, paths: z.array(z.string()) }),
    result: Undone,
  },
  "comments/list": { params: NoParams, result: z.array(Comment) },
  "comments/set": { params: z.object({ comments: z.array(Comment) }), result: Done },
  "changes/undo": {
    params: z.object({
      row: z.int().nonnegative().optional(),
      scope: z.enum(["turn", "since"]).default("turn"),
    }),
    result: Undone,
  },
  "changes/redo": { params: NoParams, result: Undone },
  "patch/show": {
    params: z.object({ id: z.string().describe("of the question that is about the patch") }),
    result: Proposal,
  },
  /** Answers the question with the patch as the user has changed it. */
  "patch/apply": {
    params: z.object({
      id: z.string(),
      left: Commit40,
      proposed: Commit40,
      files: z.array(
        z.object({
          path: z.string(),
          old: z.string().optional(),
          text: z.string().optional().describe("in base64; absent: the file stays as it is"),
        }),
      ),
    }),
    result: EditedPatch,
  },
} as const;
