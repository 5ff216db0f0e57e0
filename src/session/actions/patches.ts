import { basename } from "node:path";
import { err, ok } from "../../result.ts";
import { shownPath } from "../../workspace/index.ts";
import type { Conversation } from "../conversation/index.ts";
import type { Failure } from "../failure.ts";
import { applyEdited, type PatchPlace, propose, toldText } from "../patches/index.ts";
import type { ActionHandlers } from "./action.ts";

/** A patch that waits: to be looked at, and to be applied as the user has changed it. */
export const patchActions = {
  "patch/show": async (conversation, { id }) => {
    const question = conversation.approvals.patch(id);
    const asked = conversation.document.askedChanges(id);
    if (question === undefined || asked === undefined) return err(GONE);
    const proposal = await propose(placeOf(conversation), asked);
    if (!proposal.ok) return proposal;
    const unknown = proposal.value.files.find(({ why }) => why !== undefined);
    const fixed =
      question.byAgent === true
        ? "a sub-agent asks for it"
        : unknown && `${basename(unknown.path)}: ${unknown.why}`;
    return ok(fixed === undefined ? proposal.value : { ...proposal.value, fixed });
  },
  "patch/apply": async (conversation, { id, ...patch }) => {
    const { approvals, document, host, threadId = "" } = conversation;
    if (approvals.patch(id)?.byAgent === true) return err(BY_AGENT);
    const held = approvals.hold(id);
    if (held === undefined) return err(GONE);
    try {
      const late = await host.running()?.lateSince();
      if (late === undefined || late.problem !== undefined) return err(UNSEEN);
      const place = placeOf(conversation, late.names);
      const applied = await applyEdited(place, patch);
      if (!applied.ok) return applied;
      const { changes, conflicts } = applied.value;
      document.apply({ type: "patch_edited", id: `edited:${id}`, changes });
      // Before the answer, so that the model has both in its next request.
      const text = toldText(changes, host.root);
      const told = await conversation.tell(id, text);
      if (!told.ok) host.changes.tellLater(threadId, text);
      held.decline("applied as you changed it");
      host.filesChanged();
      return ok({
        files: changes.map(({ path }) => path),
        conflicts: conflicts.map(({ path }) => `${host.root}/${shownPath(path)}`),
      });
    } finally {
      held.letGo();
    }
  },
} satisfies Partial<ActionHandlers>;

const GONE: Failure = {
  kind: "gone",
  message: "The question about this patch no longer waits for an answer.",
};
const BY_AGENT: Failure = {
  kind: "by_agent",
  message: "A sub-agent's patch can be viewed, accepted or declined, but not changed.",
};
const UNSEEN: Failure = {
  kind: "unseen",
  message: "It is not known which files the sandbox may write, so nothing was applied.",
};

/** Where the sandbox may write: what it may not, the host does not write for it. */
function placeOf({ host }: Conversation, late: readonly string[] = []): PatchPlace {
  const running = host.running();
  const closed = late.map((name) => `${host.root}/${name}`);
  return {
    changes: host.changes,
    mayWrite: (path) =>
      running?.mayWrite(path) === true &&
      !closed.some((each) => path === each || path.startsWith(`${each}/`)),
  };
}
