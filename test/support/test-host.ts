/** The test as the host: Neovim starts a bridge, and the other end of it is `src/nvim` in the test. */

import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "vitest";
import { silentLog } from "../../src/log.ts";
import { connectEditor, type Editor } from "../../src/nvim/editor.ts";
import {
  type NotificationName,
  type NotificationParams,
  notifications,
} from "../../src/nvim/methods.ts";
import { ThreadRequests } from "../../src/session/threads/thread-requests.ts";
import type { CodexAnswer, CodexRequest } from "../../src/threads/changes.ts";
import { repository } from "./neovim.ts";

/** Something that Lua told. */
export type Told = {
  [N in NotificationName]: { readonly name: N; readonly params: NotificationParams<N> };
}[NotificationName];

/** The answer to an action. */
export type ActionReply =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly message: string };

/** Listens for the Neovims of a test. */
export class TestHost implements AsyncDisposable {
  /** All that was told by every Neovim, in order. */
  readonly told: Told[] = [];
  /** The connected editors, in order; an ended one stays in the list. */
  readonly editors: Editor[] = [];
  /** What Codex was asked to do with threads of closed conversations; it runs for none of them. */
  readonly asked: CodexRequest[] = [];
  /** Has Codex answer what it is asked about threads. */
  codex: (request: CodexRequest) => Promise<CodexAnswer> = async () => ({ isTold: false });
  /** Answers `action/run`; by default nothing does, and the test answers itself. */
  action: ((name: string, params: Readonly<Record<string, unknown>>) => ActionReply) | undefined;
  /** Whether it never says that it has all of a text. */
  isBehind = false;
  readonly #sockets: Socket[] = [];
  readonly #server: Server;
  readonly #dir: string;

  private constructor(server: Server, dir: string) {
    this.#server = server;
    this.#dir = dir;
  }

  /** Begins to listen. */
  static async start(): Promise<TestHost> {
    const dir = await mkdtemp(join(tmpdir(), "codex-chat-host-"));
    const server = createServer();
    const host = new TestHost(server, dir);
    server.on("connection", (socket) => host.#connected(socket));
    await new Promise<void>((resolve) => server.listen(host.#path, resolve));
    return host;
  }

  get #path(): string {
    return join(this.#dir, "host.sock");
  }

  /** What `host_cmd` must be. */
  get command(): string[] {
    return ["/usr/bin/perl", join(repository, "test", "support", "bridge-host.pl"), this.#path];
  }

  /** The editor that connected last. */
  get editor(): Editor {
    const editor = this.editors.at(-1);
    if (editor === undefined) throw new Error("no Neovim has started the host yet");
    return editor;
  }

  /** All that was told under this name. */
  of<N extends NotificationName>(name: N): NotificationParams<N>[] {
    return this.told
      .filter((told) => told.name === name)
      .map((told) => told.params as NotificationParams<N>);
  }

  /** Waits until something was told under this name `count` times; gives the last. */
  async heard<N extends NotificationName>(name: N, count = 1): Promise<NotificationParams<N>> {
    await expect
      .poll(() => this.of(name).length, { timeout: 10_000, message: `${name} is told` })
      .toBeGreaterThanOrEqual(count);
    const params = this.of(name)[count - 1];
    if (params === undefined) throw new Error(`${name} was not told`);
    return params;
  }

  /** Ends the host's process, as a crash does. */
  crash(): void {
    this.#sockets.at(-1)?.destroy();
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
    await rm(this.#dir, { recursive: true, force: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #connected(socket: Socket): void {
    this.#sockets.push(socket);
    const editor = connectEditor({ readable: socket, writable: socket, log: silentLog });
    const tellCodex = (request: CodexRequest) => {
      this.asked.push(request);
      return this.codex(request);
    };
    for (const name of Object.keys(notifications) as NotificationName[]) {
      if (name.startsWith("threads/")) continue;
      editor.onNotify(name, (params) => {
        this.told.push({ name, params } as Told);
        const { action } = this;
        if (name === "action/run" && "params" in params && action !== undefined)
          void editor.call.action_answer(params.id, action(params.name, params.params));
        if (name === "chat/leave" && "buf" in params && !this.isBehind)
          void editor.call.chat_confirm(params.buf);
      });
    }
    // The list of conversations is the host's own.
    new ThreadRequests({ editor, log: silentLog, tellCodex });
    this.editors.push(editor);
  }
}
