import { existsSync } from "node:fs";
import { copyFile, mkdir, mkdtemp, readdir, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type Docker from "dockerode";
import { execa } from "execa";
import { cacheDir } from "../../scripts/setup/index.ts";
import { LABELS } from "../../src/sandbox/container/labels.ts";
import { engineClient } from "../../src/sandbox/engine/client.ts";
import { atEnd } from "./cleanup.ts";

/** The engine that the set-up has made ready. */
export type BenchEngine = { readonly host: string; readonly baseImage: string | undefined };

/**
 * Self-tests that passed, kept over runs and shared with the tests: a user, too, has one self-test per
 * engine and image, so no figure has one in it.
 */
const proven = join(cacheDir, "self-test");

/** A project, a home and a state directory of a measurement's own, and the containers of them. */
export class Place implements AsyncDisposable {
  readonly project: string;
  readonly home: string;
  readonly state: string;
  readonly engine: BenchEngine;
  readonly docker: Docker;
  readonly #base: string;
  readonly #remove = atEnd(() => this.#putAway());

  private constructor(base: string, engine: BenchEngine) {
    this.#base = base;
    this.project = join(base, "work", "project");
    this.home = join(base, "home");
    this.state = join(base, "state");
    this.engine = engine;
    this.docker = engineClient(engine.host.replace(/^unix:\/\//, ""));
  }

  /** Makes the directories; the project is a repository with one file. */
  static async make(engine: BenchEngine): Promise<Place> {
    const base = await realpath(await mkdtemp(join(tmpdir(), "codex-chat-bench-")));
    const place = new Place(base, engine);
    await mkdir(place.project, { recursive: true });
    await mkdir(join(place.home, "run"), { recursive: true, mode: 0o700 });
    await writeFile(join(place.project, "hello.txt"), "Hello\n");
    await execa("git", ["init", "-q", place.project]);
    await copyReports(proven, join(place.state, "self-test"));
    return place;
  }

  /** The one container that runs here. */
  async container(): Promise<Docker.ContainerInspectInfo> {
    const [first, ...others] = await this.#containers();
    if (first === undefined || others.length > 0)
      throw new Error(`one container was expected, not ${others.length + (first ? 1 : 0)}`);
    return this.docker.getContainer(first.Id).inspect();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#remove();
  }

  async #containers(): Promise<Docker.ContainerInfo[]> {
    const filters = { label: [`${LABELS.plugin}=1`] };
    const all = await this.docker.listContainers({ all: true, filters });
    return all.filter((it) => it.Labels[LABELS.state]?.startsWith(this.state));
  }

  async #putAway(): Promise<void> {
    await copyReports(join(this.state, "self-test"), proven);
    for (const { Id } of await this.#containers().catch(() => []))
      await this.docker
        .getContainer(Id)
        .remove({ force: true })
        .catch(() => {});
    const filters = JSON.stringify({ label: [`${LABELS.plugin}=1`] });
    const { Volumes } = await this.docker.listVolumes({ filters });
    for (const { Name, Labels } of Volumes ?? [])
      if (Labels?.[LABELS.state]?.startsWith(this.state))
        await this.docker
          .getVolume(Name)
          .remove()
          .catch(() => {});
    // A host that ends just now may bring a directory back for a moment.
    await rm(this.#base, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
  }
}

async function copyReports(from: string, to: string): Promise<void> {
  if (!existsSync(from)) return;
  await mkdir(to, { recursive: true, mode: 0o700 });
  for (const name of await readdir(from))
    if (name.endsWith(".json")) await copyFile(join(from, name), join(to, name)).catch(() => {});
}
