/**
 * A patch that the user edits is applied by the host: to have it write what the sandbox may not. The
 * control writes the files that the patch names, as a program does that takes paths as they come.
 */
import { readFileSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import type { FileUpdateChange } from "../src/codex/messages/item.ts";
import { silentLog } from "../src/log.ts";
import { ProjectChanges } from "../src/session/changes/project-changes.ts";
import { applyEdited } from "../src/session/patches/apply.ts";
import { propose } from "../src/session/patches/propose.ts";
import { type Attempt, attempt, group, verdict } from "./catalogue.ts";
import { fortress } from "./support/containers.ts";
import { type HostPlace, hostPlace } from "./support/places.ts";

/** A project, something that runs in it as the attacker, and a user who edits a patch and accepts it. */
type Target = {
  readonly place: HostPlace;
  /** Runs a script in the project; `$1` is the user's home. */
  readonly attack: (script: string) => Promise<unknown>;
  /** Codex asks whether it may change a file; once it is shown, `meanwhile` happens. */
  readonly accept: (path: string, meanwhile?: () => Promise<unknown>) => Promise<unknown>;
};

const OLD = "the user's\n";
const EDITED = "the attacker's, as the user has edited it\n";

/** A place with a file that is protected, one outside of the project, and an ordinary one. */
async function placeOf(name: string): Promise<HostPlace> {
  const place = await hostPlace(name);
  await mkdir(join(place.project, "d"));
  for (const path of ["project/.envrc", "project/d/notes"])
    await writeFile(join(place.project, "..", path), OLD);
  await writeFile(join(place.home, "notes"), OLD);
  return place;
}

async function product(): Promise<Target> {
  const place = await placeOf("patches");
  const inside = await fortress(place);
  const changes = new ProjectChanges({
    ...{ root: place.project, projectDir: place.state, env: {}, log: silentLog },
    foreign: () => [],
  });
  return {
    place,
    attack: (script) => inside.sh(script, { cwd: place.project, args: [place.home] }),
    accept: async (path, meanwhile) => {
      const patch: FileUpdateChange = {
        ...{ path, kind: { type: "update" }, diff: "@@ -1 +1 @@\n-the user's\n+the attacker's\n" },
      };
      const at = { changes, mayWrite: inside.sandbox.mayWrite };
      const proposal = await propose(at, [patch]);
      if (!proposal.ok) throw new Error(proposal.error.message);
      await meanwhile?.();
      const { left, proposed } = proposal.value;
      const text = Buffer.from(EDITED).toString("base64");
      return applyEdited(at, { left, proposed, files: [{ path, text }] });
    },
  };
}

async function control(): Promise<Target> {
  const place = await placeOf("patches-control");
  const { project: cwd, home } = place;
  return {
    place,
    attack: (script) => execa("sh", ["-c", script, "sh", home], { cwd, reject: false }),
    accept: async (path, meanwhile) => {
      await readFile(path);
      await meanwhile?.();
      await writeFile(path, EDITED);
    },
  };
}

function strikes(
  what: Pick<Attempt, "name" | "tries" | "mustHappen">,
  strike: (target: Target) => ReturnType<Attempt["run"]>,
): Attempt {
  return attempt<Target>({ ...what, strike, product, control });
}

/** What a file of the user's holds afterwards. */
function judged(path: string) {
  const text = readFileSync(path, "utf8");
  return verdict(text !== OLD, `it has ${JSON.stringify(text)}`);
}

group("patches that the user edits", [
  strikes(
    {
      name: "protected file",
      tries: "asks to change a file that is read-only in the sandbox",
      mustHappen: "the host does not write it either",
    },
    async ({ accept, place }) => {
      const path = join(place.project, ".envrc");
      await accept(path);
      return judged(path);
    },
  ),
  strikes(
    {
      name: "path out of the project",
      tries: "asks to change a file of the user's, by its path and by one with dots",
      mustHappen: "the user's file is as it was",
    },
    async ({ accept, place }) => {
      const path = join(place.home, "notes");
      await accept(path);
      await accept(`${place.project}/../../home/notes`);
      return judged(path);
    },
  ),
  strikes(
    {
      name: "link that is there",
      tries: "asks to change a file behind a link to the user's home",
      mustHappen: "the user's file is as it was",
    },
    async ({ attack, accept, place }) => {
      await attack(`ln -s "$1" home; ln -s "$1/notes" notes`);
      await accept(join(place.project, "home/notes"));
      await accept(join(place.project, "notes"));
      return judged(join(place.home, "notes"));
    },
  ),
  strikes(
    {
      name: "link that comes while the user edits",
      tries: "puts a link to the user's home in the place of the directory once the patch is shown",
      mustHappen: "the user's file is as it was",
    },
    async ({ attack, accept, place }) => {
      await accept(join(place.project, "d/notes"), () =>
        attack(`rm -r d; ln -s "$1" d; test -L d`),
      );
      return judged(join(place.home, "notes"));
    },
  ),
]);
