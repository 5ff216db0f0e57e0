import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { onTestFinished } from "vitest";
import { changesOf } from "../../src/workspace/watch/changes.ts";
import { pathMatcher } from "../../src/workspace/watch/matcher.ts";
import { type SnapshotOptions, snapshotWatched } from "../../src/workspace/watch/snapshot.ts";

/** A project, and what became of it since it was last looked at, in few words. */
export class Project {
  readonly base = realpathSync(mkdtempSync(join(tmpdir(), "codex-chat-watch-")));
  readonly root = join(this.base, "project");
  own: readonly string[] = [];

  constructor() {
    mkdirSync(this.root);
    onTestFinished(() => rmSync(this.base, { recursive: true, force: true }));
  }

  write(path: string, text = ""): void {
    mkdirSync(dirname(join(this.root, path)), { recursive: true });
    writeFileSync(join(this.root, path), text);
  }

  look(more: Partial<SnapshotOptions> = {}) {
    return snapshotWatched({ root: this.root, matcher: pathMatcher(this.own), ...more });
  }

  async told(act: () => void, more: Partial<SnapshotOptions> = {}): Promise<string[]> {
    const before = await this.look();
    act();
    const after = await this.look({ earlier: before, ...more });
    return changesOf(before, after).map(({ path, change, parts, to }) =>
      [path, ...parts.map((part) => `${part.kind}:${part.name}`), change, to]
        .filter(Boolean)
        .join(" "),
    );
  }
}
