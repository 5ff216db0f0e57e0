import type { ModelScript } from "./model-server.ts";
import { applyPatch, exec, message, reasoning, reply, updatePlan } from "./reply.ts";
import type { ModelRequest } from "./request.ts";

const FILE = "codex-chat-tour.sh";

const SCRIPT = `#!/bin/sh
# Written by the tour of codex-chat.nvim; delete it whenever you like.
echo "Hello from $(uname -s) $(uname -r), as user $(id -u), in $(pwd)"
echo "Network devices: $(awk -F: 'NR > 2 { print $1 }' /proc/net/dev | xargs)"
touch .git/codex-chat-was-here 2>/dev/null && echo ".git is writable" || echo ".git is out of reach"
`;

/**
 * The tour for people without a key: its messages are scripted, its commands, its edit and the
 * sandbox are real. It looks at the project, adds a small script by a patch, runs it, and explains
 * what happened; further questions show that the conversation is remembered.
 */
export const tour: ModelScript = (request) => {
  const outputs = request.outputsSinceUser();
  if (/rejected by user|declined/i.test(outputs.at(-1) ?? "")) return declined();
  if (request.queries().length <= 1) return firstTurn(outputs);
  return laterTurn(request, outputs);
};

function firstTurn(outputs: readonly string[]) {
  switch (outputs.length) {
    case 0:
      return reply(
        reasoning(
          "**Looking around**\n\nFirst the project, then the machine that the commands run on.",
        ),
        message(
          "*These words are scripted: this is the offline tour, and no model is behind it. The commands and the edit below are real, and run in the sandbox.*\n\nI look at the project and at the kernel that runs my commands.",
          { pieces: 24, pauseMs: 15 },
        ),
        updatePlan(plan(0)),
        exec("ls -la"),
        exec("uname -a; dmesg | head -n 4"),
      );
    case 3:
      return reply(
        message("I add a small script by a patch, and run it.", { pieces: 8, pauseMs: 15 }),
        updatePlan(plan(1)),
        applyPatch(patchFor(outputs[1] ?? "")),
        exec(`sh ${FILE}`),
      );
    case 6:
      // A response of its own: one with a tool call is never the last of a turn.
      return reply(updatePlan(plan(3)));
    default:
      return reply(message(explanation(), { pieces: 60, pauseMs: 12 }));
  }
}

/** Ends the tour after a decline: the script has no other way to go on. */
function declined() {
  return reply(
    message("*Scripted words.* You declined that, so nothing was run, and the tour ends here.", {
      pieces: 8,
      pauseMs: 15,
    }),
  );
}

function plan(done: number) {
  const steps = ["Look at the project and the sandbox", "Write a small script", "Run it"];
  return steps.map((step, n) => ({
    step,
    status: n < done ? "completed" : n === done ? "in_progress" : "pending",
  }));
}

/** An earlier tour may have left the file behind. */
function patchFor(listing: string): string {
  const lines = SCRIPT.trimEnd()
    .split("\n")
    .map((line) => `+${line}`)
    .join("\n");
  const again = listing.includes(FILE) ? `*** Delete File: ${FILE}\n` : "";
  if (again !== "")
    return `*** Begin Patch\n*** Update File: ${FILE}\n@@\n-# Written by the tour of codex-chat.nvim; delete it whenever you like.\n+# Written by the tour of codex-chat.nvim; delete it whenever you like.\n*** End Patch`;
  return `*** Begin Patch\n*** Add File: ${FILE}\n${lines}\n*** End Patch`;
}

function explanation(): string {
  return `### What just happened

| What | Where |
| --- | --- |
| your question | this buffer; the model is on your own machine |
| the commands | a container with its own kernel, **gVisor** |
| \`${FILE}\` | written by a patch, with your own user id |

- The sandbox has no network. The model is reached through the host.
- Your own \`.git\` is out of its reach. \`za\` opens a fold.
- \`:CodexChat diff\` shows the edit, and \`:CodexChat undo\` takes it back.

To talk to a real model, set \`OPENAI_API_KEY\` or name an endpoint of the Responses API:

\`\`\`sh
npm run try -- --model-url http://127.0.0.1:8080/v1 --model my-model
\`\`\`

Ask me something else, and I will show that I remember this conversation.`;
}

function laterTurn(request: ModelRequest, outputs: readonly string[]) {
  if (outputs.length === 0)
    return reply(
      message("*Scripted words again.* I check that the sandbox is still the same one.", {
        pieces: 8,
        pauseMs: 15,
      }),
      exec(`ls -l ${FILE}; cat /proc/uptime`),
    );
  const asked = request.queries();
  const list = asked.map((text, n) => `${n + 1}. ${text.split("\n")[0]?.slice(0, 100)}`).join("\n");
  return reply(
    message(
      `So far you have asked me:\n\n${list}\n\nCodex sent me all of it, from the thread that it keeps for this buffer.`,
      {
        pieces: 20,
        pauseMs: 15,
      },
    ),
  );
}
