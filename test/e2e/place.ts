import { existsSync, realpathSync } from "node:fs";
import { copyFile, mkdir, mkdtemp, readdir, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import type Docker from "dockerode";
import { execa } from "execa";
import { cacheDir } from "../../scripts/setup/index.ts";
import { LABELS } from "../../src/sandbox/container/labels.ts";
import { engineClient } from "../../src/sandbox/engine/client.ts";
import { startProcess } from "../../src/sandbox/engine/process.ts";
import { type TestEngine, testEngine } from "../support/engine.ts";

/** The name of the model in all requests; Codex knows it. */
export const MODEL_NAME = "gpt-5.5";

/** How a place is made. */
export type PlaceOptions = {
  /** The project's directory name. */
  readonly name?: string;
  /**
   * Whether the project has a repository; by default it has. Where a test has nothing to do with it,
   * it goes without: the agent's own git costs as much as all else of a sandbox's start.
   */
  readonly git?: boolean;
  /** By default the one that all tests share. */
  readonly engine?: {
    readonly host: string;
    readonly baseImage: string | undefined;
    readonly close: () => Promise<void>;
  };
};

/**
 * What the product remembers of self-tests that passed, over the places: it names engine, runtime,
 * image and probe, so that nothing is believed of what was not tested.
 */
const proven = join(cacheDir, "self-test");

async function copyReports(from: string, to: string): Promise<void> {
  if (!existsSync(from)) return;
  await mkdir(to, { recursive: true, mode: 0o700 });
  for (const name of await readdir(from))
    if (name.endsWith(".json")) await copyFile(join(from, name), join(to, name)).catch(() => {});
}

/** What a program inside the container said. */
export type Inside = {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number | null;
};

/**
 * A project, a home and a state directory of a test's own, and the containers that come of them.
 * Disposing removes all of it, whatever the test left behind.
 */
export class Place implements AsyncDisposable {
  readonly base: string;
  readonly project: string;
  readonly home: string;
  readonly state: string;
  readonly engine: TestEngine | NonNullable<PlaceOptions["engine"]>;
  readonly docker: Docker;

  private constructor(base: string, name: string, engine: Place["engine"]) {
    this.base = base;
    this.project = join(base, "work", name);
    this.home = join(base, "home");
    this.state = join(base, "state");
    this.engine = engine;
    this.docker = engineClient(engine.host);
  }

  /** Makes the directories; the project holds `hello.txt` with "Hello\n". */
  static async make(options: PlaceOptions = {}): Promise<Place> {
    const { name = "project", git = true } = options;
    const base = await realpath(await mkdtemp(join(realpathSync(tmpdir()), "codex-chat-e2e-")));
    const place = new Place(base, name, options.engine ?? (await testEngine()));
    await mkdir(place.project, { recursive: true });
    await mkdir(place.home);
    await writeFile(join(place.project, "hello.txt"), "Hello\n");
    if (git) await execa("git", ["init", "-q", place.project]);
    await copyReports(proven, place.#reports);
    return place;
  }

  /** `vim.g.codex_chat` for a Neovim in this place, whose model answers at that address. */
  config(modelUrl: string) {
    const { host, baseImage } = this.engine;
    return {
      state_dir: this.state,
      node: process.execPath,
      model: MODEL_NAME,
      model_url: modelUrl,
      approvals: "never",
      sandbox: {
        engine: host,
        build_network: "host",
        ...(baseImage === undefined ? {} : { base_image: baseImage }),
      },
    };
  }

  get #reports(): string {
    return join(this.state, "self-test");
  }

  /** The running containers of this place, of whatever project in it. */
  async containers(): Promise<Docker.ContainerInfo[]> {
    const all = await this.docker.listContainers({
      filters: { label: [`${LABELS.plugin}=1`] },
    });
    return all.filter((container) => container.Labels[LABELS.state]?.startsWith(this.state));
  }

  /** The one container that runs here. */
  async container(): Promise<Docker.Container> {
    const [first, ...others] = await this.containers();
    if (first === undefined || others.length > 0)
      throw new Error(`one container was expected, not ${others.length + (first ? 1 : 0)}`);
    return this.docker.getContainer(first.Id);
  }

  /** Runs a shell script in the container, as the agent's user. */
  async inside(script: string): Promise<Inside> {
    const started = await startProcess(await this.container(), {
      argv: ["sh", "-c", script],
      cwd: "/",
    });
    if (!started.ok) throw new Error(started.error.message);
    const { stdin, stdout, stderr, exited } = started.value;
    stdin.end();
    const [out, errors] = await Promise.all([text(stdout), text(stderr)]);
    return { stdout: out, stderr: errors, exitCode: (await exited).exitCode };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await copyReports(this.#reports, proven);
    // An engine that a test has killed has no containers any more.
    for (const { Id } of await this.containers().catch(() => []))
      await this.docker
        .getContainer(Id)
        .remove({ force: true })
        .catch(() => {});
    await this.#removeVolumes().catch(() => {});
    // A host that ends just now may bring a directory back for a moment.
    await rm(this.base, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
    await this.engine.close();
  }

  async #removeVolumes(): Promise<void> {
    const filters = JSON.stringify({ label: [`${LABELS.plugin}=1`] });
    const { Volumes } = await this.docker.listVolumes({ filters });
    for (const { Name, Labels } of Volumes ?? [])
      if (Labels?.[LABELS.state]?.startsWith(this.state))
        await this.docker.getVolume(Name).remove();
  }
}
