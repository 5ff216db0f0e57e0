/** A project with checkpoints, and what can happen to its files. */
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  type Dirent,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import type { CheckpointsOptions } from "../../src/workspace/checkpoints/checkpoints.ts";
import {
  type ChangeSet,
  type Checkpoint,
  Checkpoints,
  reversed,
} from "../../src/workspace/checkpoints/index.ts";
import { type Restored, Restorer } from "../../src/workspace/restore/index.ts";

/** What is done to a file; paths are from the project's root, a character for each byte. */
export type Act =
  | { readonly do: "write"; readonly path: string; readonly text: string; readonly mode?: number }
  /** Adds a line at the top or the end of a file, as an editor does: text stays where it was. */
  | { readonly do: "edit"; readonly path: string; readonly line: string; readonly top: boolean }
  | { readonly do: "remove" | "mkdir"; readonly path: string }
  | { readonly do: "rename"; readonly path: string; readonly to: string }
  | { readonly do: "chmod"; readonly path: string; readonly mode: number }
  | { readonly do: "link"; readonly path: string; readonly target: string };

/** A project of its own, with a state directory beside it; both are removed after the test. */
export class RecordedProject {
  readonly base: string;
  readonly root: string;
  readonly dir: string;
  readonly checkpoints: Checkpoints;
  readonly restorer: Restorer;

  constructor(options: Partial<CheckpointsOptions> = {}) {
    this.base = realpathSync(mkdtempSync(join(tmpdir(), "codex-chat-recorded-")));
    // Node's own way overflows its stack in a deep tree.
    onTestFinished(() => void execFileSync("rm", ["-rf", this.base]));
    this.root = join(this.base, "project");
    this.dir = join(this.base, "state");
    mkdirSync(this.root);
    this.checkpoints = this.open(options);
    this.restorer = new Restorer(this.root, this.checkpoints, this.dir);
  }

  /** Another host's view of the same repository. */
  open(options: Partial<CheckpointsOptions> = {}): Checkpoints {
    const { root, dir } = this;
    return new Checkpoints({
      ...{ root, dir, excludes: async () => "", foreign: () => [], ...options },
    });
  }

  async take(): Promise<Checkpoint> {
    return must(await this.checkpoints.take({ signal: never() }));
  }

  async compare(one: { commit: string }, other: { commit: string }): Promise<ChangeSet> {
    return must(await this.checkpoints.compare(one.commit, other.commit));
  }

  /** The change that leads from `other` back to `one`. */
  async back(one: { commit: string }, other: { commit: string }): Promise<ChangeSet> {
    return reversed(await this.compare(one, other));
  }

  async change(...sets: readonly ChangeSet[]): Promise<Restored> {
    return must(
      await this.restorer.change({
        ...{ title: "a test", sets, note: null, record: async () => {}, signal: never() },
      }),
    );
  }

  /** Does it if it can be done, as a shell would. */
  act(act: Act): void {
    try {
      this.#do(act);
    } catch (thrown) {
      const { code } = thrown as NodeJS.ErrnoException;
      if (code === undefined || !POSSIBLE.has(code)) throw thrown;
    }
  }

  #do(act: Act): void {
    const at = this.at(act.path);
    const above = this.at(act.path.slice(0, Math.max(0, act.path.lastIndexOf("/"))));
    switch (act.do) {
      case "write":
        mkdirSync(above, { recursive: true });
        rmSync(at, { recursive: true, force: true });
        writeFileSync(at, Buffer.from(act.text, "latin1"));
        chmodSync(at, act.mode ?? 0o644);
        break;
      case "edit": {
        if (lstatSync(at).isFile()) writeFileSync(at, edited(readFileSync(at), act));
        break;
      }
      case "remove":
        rmSync(at, { recursive: true, force: true });
        break;
      case "mkdir":
        mkdirSync(at, { recursive: true });
        break;
      case "rename": {
        const to = this.at(act.to);
        mkdirSync(this.at(act.to.slice(0, Math.max(0, act.to.lastIndexOf("/")))), {
          recursive: true,
        });
        renameSync(at, to);
        break;
      }
      case "chmod":
        if (!lstatSync(at).isSymbolicLink() && lstatSync(at).isFile()) chmodSync(at, act.mode);
        break;
      case "link":
        mkdirSync(above, { recursive: true });
        rmSync(at, { recursive: true, force: true });
        symlinkSync(act.target, at);
        break;
      default:
        act satisfies never;
    }
  }

  at(path: string): Buffer {
    return Buffer.concat([Buffer.from(`${this.root}/`), Buffer.from(path, "latin1")]);
  }

  /** All that is in the project, as the user can see it. */
  tree(): Readonly<Record<string, string>> {
    return treeOf(this.root);
  }
}

function edited(content: Buffer, { line, top }: Act & { readonly do: "edit" }): Buffer {
  const added = Buffer.from(line, "latin1");
  return top ? Buffer.concat([added, content]) : Buffer.concat([content, added]);
}

/** What a shell may be refused: a name that is taken or missing, a directory moved into itself. */
const POSSIBLE: ReadonlySet<string> = new Set([
  ...["ENOENT", "ENOTDIR", "EEXIST", "EISDIR", "ENOTEMPTY", "EINVAL", "ELOOP", "EACCES"],
]);

/** Everything below a directory: the kind, the permissions and the content of each path. */
export function treeOf(root: string): Readonly<Record<string, string>> {
  const found: Record<string, string> = {};
  const look = (dir: string) => {
    const at = Buffer.concat([Buffer.from(`${root}/`), Buffer.from(dir, "latin1")]);
    const entries = readdirSync(at, { withFileTypes: true, encoding: "latin1" }) as Dirent[];
    for (const { name } of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const path = dir === "" ? name : `${dir}/${name}`;
      const here = Buffer.concat([Buffer.from(`${root}/`), Buffer.from(path, "latin1")]);
      const stats = lstatSync(here);
      if (stats.isDirectory()) {
        found[path] = "directory";
        look(path);
      } else if (stats.isSymbolicLink())
        found[path] = `link ${readlinkSync(here, { encoding: "latin1" })}`;
      else if (stats.isFile())
        found[path] = `${(stats.mode & 0o777).toString(8)} ${readFileSync(here, "latin1")}`;
      else found[path] = "other";
    }
  };
  look("");
  return found;
}

/** The value of a result that has one. */
export function must<T>(
  result: { ok: true; value: T } | { ok: false; error: { message: string } },
): T {
  if (!result.ok) throw new Error(result.error.message);
  return result.value;
}

/** The signal of something that nobody stops. */
export function never(): AbortSignal {
  return new AbortController().signal;
}

/** A project with these files. */
export function projectWith(
  files: Readonly<Record<string, string>>,
  options: ConstructorParameters<typeof RecordedProject>[0] = {},
): RecordedProject {
  const project = new RecordedProject(options);
  for (const [path, text] of Object.entries(files)) project.act({ do: "write", path, text });
  return project;
}

/** The content that a checkpoint has of a path; undefined if it has none. */
export async function contentIn(project: RecordedProject, commit: string, path: string) {
  const shadow = await project.checkpoints.shadow();
  const oid = must(await shadow.tree(commit)).get(path)?.oid ?? "";
  return must(await shadow.read([oid]))
    .get(oid)
    ?.toString("latin1");
}
