/**
 * What it costs to list and to search 20,000 conversations, 40 of them with 50,000 lines, in all tested
 * Neovims: how long it takes, and how long the editor does not answer meanwhile. That may be at most a
 * frame more than in an idle Neovim, but for the first list, which starts the host.
 */

import { setUp } from "../scripts/setup/index.ts";
import { ScriptedModel } from "../test/e2e/model.ts";
import { startEditor } from "./parts/chat.ts";
import { tidily } from "./parts/cleanup.ts";
import {
  FILES,
  fillProjects,
  LONG_FILES,
  LONG_LINES,
  measureStep,
  type Step,
} from "./parts/conversations.ts";
import { makePlace } from "./parts/place.ts";

const MAX_PAUSE_MS = 16;
const MAX_START_MS = 100;

const STEPS: readonly (Step & { readonly label: string })[] = [
  { label: "an idle second", what: "idle", argument: "" },
  { label: "the first list, with the host's start", what: "list", argument: "" },
  { label: "the next list", what: "list", argument: "" },
  { label: "all projects' first list", what: "list", argument: "!" },
  { label: "all projects' next list", what: "list", argument: "!" },
  { label: "a search that finds nothing", what: "search", argument: "nowhere at all" },
  { label: "a search that finds much", what: "search", argument: "answer" },
  { label: "a search beyond ASCII", what: "search", argument: "überall" },
];

await tidily(async () => {
  const ready = await setUp({ neovim: "tested", engine: true });
  if (!ready.ok) throw new Error(ready.error.message);
  const { neovims, engine, baseImage, close } = ready.value;
  await using model = await ScriptedModel.start();
  for (const { version, program } of neovims) {
    await using place = await makePlace({ host: engine?.host ?? "", baseImage });
    await using editor = await startEditor({ program, place, model });
    await fillProjects(editor, place.project);
    console.log(`Neovim ${version}: ${FILES} conversations, ${LONG_FILES} of ${LONG_LINES} lines`);
    let idle = 0;
    for (const { label, ...step } of STEPS) {
      const { ms, worst, count } = await measureStep(editor, step);
      if (step.what === "idle") idle = worst;
      const most = label.includes("start") ? MAX_START_MS : MAX_PAUSE_MS;
      const verdict = worst - idle > most ? `, MORE THAN ${most} MS` : "";
      if (verdict !== "") process.exitCode = 1;
      const time = `${ms.toFixed(0)} ms, longest pause ${worst.toFixed(1)} ms`;
      console.log(`  ${label}: ${time}, ${count} entries${verdict}`);
    }
  }
  await close();
});
