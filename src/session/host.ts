import { basename } from "node:path";
import type { Log } from "../log.ts";
import {
  type Editor,
  events,
  type NotificationName,
  type NotificationParams,
} from "../nvim/index.ts";
import { leaveOut } from "../programs.ts";
import { err, ok } from "../result.ts";
import { Account, credentialLine, KeyRing, upstreamProxyOf } from "./auth/index.ts";
import { noteSave, recover } from "./changes/index.ts";
import { Conversation, type ProjectServices } from "./conversation/index.ts";
import { LiveDocument } from "./document/index.ts";
import { failureLine, partGone } from "./failure.ts";
import { Project } from "./project.ts";
import type { Query } from "./query.ts";
import { parseSettings, type Settings } from "./settings/index.ts";
import { ThreadHandle } from "./thread/index.ts";
import { ThreadRequests, tellCodex } from "./threads/index.ts";
import { throttle } from "./throttle.ts";

/** A notification of the editor about a conversation that is open. */
type EditorEvent = {
  [N in (typeof METHODS)[number]]: { readonly method: N; readonly params: NotificationParams<N> };
}[(typeof METHODS)[number]];

const METHODS = [
  "chat/open",
  "chat/close",
  "chat/reread",
  "chat/save",
  "chat/leave",
  "chat/configure",
  "turn/send",
  "query/edit",
  "sandbox/prepare",
  "file/saved",
  "turn/interrupt",
  "turn/retry",
  "approval/answer",
  "sandbox/stop",
  "tool/answer",
  "action/run",
] as const satisfies readonly NotificationName[];

/** The parts that a host is made from. */
export type HostOptions = {
  readonly editor: Editor;
  readonly log: Log;
  readonly env: NodeJS.ProcessEnv;
  readonly version: string;
};

/** How long the parts may take to end before the process ends without them. */
const CLOSE_MS = 8_000;
/** How often the editor is called because of messages from the sandbox, in ms. */
const CALM_MS = 500;

/**
 * The host of one Neovim: finds the conversation that a notification is about, and the project that it
 * belongs to. It decides nothing about a conversation itself.
 */
export class Host {
  readonly #options: HostOptions;
  readonly #projects = new Map<string, Project>();
  readonly #conversations = new Map<number, Conversation>();
  /** Messages about one buffer are handled one after another, beginning with its opening. */
  readonly #lanes = new Map<number, Promise<void>>();
  /** Work for the editor that is not done yet, including closing chats. */
  readonly #pending = new Set<Promise<void>>();
  readonly #accounts = new Map<string, Account>();
  readonly #keys = new KeyRing();
  readonly #threads: ThreadRequests;
  #opened = 0;

  constructor(options: HostOptions) {
    this.#options = options;
    this.#threads = new ThreadRequests({
      editor: options.editor,
      log: options.log,
      tellCodex: (request) => tellCodex(this.#projects.get(request.root)?.running?.client, request),
    });
    for (const method of METHODS)
      options.editor.onNotify(method, (params) => this.#take({ method, params } as EditorEvent));
  }

  #take(event: EditorEvent): void {
    const { buf } = event.params;
    const lane = (this.#lanes.get(buf) ?? Promise.resolve())
      .then(() => this.#handle(event))
      .catch((error: unknown) => {
        this.#options.log.error({ err: error, method: event.method }, "a notification failed");
      });
    this.#lanes.set(buf, lane);
    this.#pending.add(lane);
    void lane.then(() => this.#pending.delete(lane));
  }

  /** Saves every conversation and ends everything that was started: the editor is gone. */
  async close(): Promise<void> {
    const why = "Neovim went away before this turn was over.";
    for (const account of this.#accounts.values()) account.cancel();
    const finish = (async () => {
      // Neovim closes its chats before it ends, and each of their files must become whole.
      const closed = [...this.#conversations.values()].map((chat) => chat.close(why));
      await Promise.allSettled([...closed, ...this.#pending, this.#threads.settled()]);
      await Promise.allSettled([...this.#projects.values()].map((project) => project.close()));
    })();
    let timer: NodeJS.Timeout | undefined;
    const tooLong = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, CLOSE_MS);
    });
    await Promise.race([finish, tooLong]);
    clearTimeout(timer);
  }

  async #handle(event: EditorEvent): Promise<void> {
    if (event.method === "chat/open") return this.#open(event.params);
    const conversation = this.#conversations.get(event.params.buf);
    if (conversation === undefined) {
      this.#options.log.warn(
        { method: event.method, buf: event.params.buf },
        "no such conversation",
      );
      return;
    }
    switch (event.method) {
      case "turn/send":
        this.#send(conversation, event.params);
        break;
      case "query/edit":
        conversation.document.queryEdited(event.params.id, event.params.text);
        break;
      case "sandbox/prepare":
        conversation.prepare();
        break;
      case "file/saved":
        await noteSave(conversation.host.changes, event.params);
        break;
      case "turn/interrupt":
        conversation.interrupt();
        break;
      case "turn/retry":
        conversation.retry();
        break;
      case "approval/answer":
        conversation.answer(event.params.id, event.params, event.params.reason);
        break;
      case "chat/save":
        await conversation.document.save();
        break;
      case "chat/leave":
        await this.#options.editor.call.chat_confirm(event.params.buf);
        break;
      case "chat/configure":
        this.#projectOf(conversation)?.live.take(parseSettings(event.params.settings));
        break;
      case "chat/reread":
        await conversation.document.follow();
        break;
      case "chat/close":
        await this.#forget(event.params.buf, conversation);
        break;
      case "sandbox/stop":
        await this.#stopSandbox(conversation);
        break;
      case "tool/answer":
        conversation.tools.answered(event.params.id, event.params);
        break;
      case "action/run":
        // Not awaited: it may take as long as a turn, and other notifications must not wait for it.
        void this.#act(conversation, event.params);
        break;
      default:
        event satisfies never;
    }
  }

  /** Steers the running turn only if it has the settings that the user has now. */
  #send(conversation: Conversation, params: NotificationParams<"turn/send">): void {
    const mode = this.#projectOf(conversation)?.live.isPending === true ? "queue" : params.mode;
    conversation.send(toQuery({ ...params, mode }), mode);
  }

  async #act(
    conversation: Conversation,
    { id, name, params }: NotificationParams<"action/run">,
  ): Promise<void> {
    const { editor, log } = this.#options;
    const answer = await import("./actions/index.ts").then(
      ({ runAction }) => runAction(conversation, name, params, log),
      (thrown) => err(partGone(thrown)),
    );
    await editor.call.action_answer(
      id,
      answer.ok
        ? { ok: true, value: answer.value ?? true }
        : { ok: false, message: failureLine(answer.error) },
    );
  }

  async #open(params: Extract<EditorEvent, { method: "chat/open" }>["params"]): Promise<void> {
    const { buf, path, root, project_dir: projectDir } = params;
    const { editor, log } = this.#options;
    const parsed = parseSettings(params.settings);
    if (!parsed.ok) {
      await editor.call.buf_set_state(buf, { phase: "failed", detail: "wrong configuration" });
      await editor.call.ui_notify("error", failureLine(parsed.error));
      return;
    }
    await this.#conversations.get(buf)?.close(undefined, true);
    this.#opened += 1;
    const opened = await LiveDocument.open({
      editor,
      buf,
      path,
      root,
      stateDir: parsed.value.state_dir,
      prefix: `h${process.pid}.${this.#opened}.`,
      log,
    });
    if (!opened.ok) {
      if (opened.error.kind === "locked")
        await editor.call.chat_relocate(buf, {
          reason: `${basename(path)} is open in another Neovim, so this is a new conversation.`,
        });
      else {
        // Lua then keeps the file itself, and opens the chat again when something is sent.
        await editor.call.buf_set_state(buf, { phase: "failed", detail: "not saved" });
        await editor.call.ui_notify("error", opened.error.message);
      }
      return;
    }
    const project = this.#openProject(root, projectDir, parsed.value);
    const host = this.#hostOf(project, buf);
    const thread = new ThreadHandle(opened.value, host);
    const conversation = new Conversation({ document: opened.value, thread, host });
    project.conversations.add(conversation);
    this.#conversations.set(buf, conversation);
    opened.value.setState({ phase: "idle" });
    // After the queries that came before it was open: they are not from an earlier run.
    const lane = this.#lanes.get(buf) ?? Promise.resolve();
    this.#lanes.set(
      buf,
      lane.then(() => conversation.opened()),
    );
  }

  /** Makes the project of a conversation that opens, or gives it the settings that came with that. */
  #openProject(root: string, projectDir: string, settings: Settings): Project {
    const { env, log, version } = this.#options;
    const known = this.#projects.get(root);
    if (known !== undefined) {
      known.live.take(ok(settings));
      return known;
    }
    // SECURITY: before anything is looked up for it. The agent can write in these directories.
    leaveOut(root);
    for (const mount of settings.sandbox?.mounts ?? []) if (mount.write) leaveOut(mount.source);
    const account = this.#account(settings);
    const keys = this.#keys;
    const project = new Project({ root, projectDir, settings, env, log, version, keys, account });
    this.#projects.set(root, project);
    void this.#recover(project);
    return project;
  }

  /** Completes what an earlier host was doing to the project's files when it died. */
  async #recover({ changes, conversations, root }: Project): Promise<void> {
    const { editor, log } = this.#options;
    try {
      for (const text of await recover(changes)) {
        for (const { document } of conversations) document.apply({ type: "note", text });
        void editor.call.ui_notify("warn", text);
        void editor.call.buf_reload({ root });
      }
    } catch (thrown) {
      log.error({ err: thrown }, "an interrupted change could not be completed");
    }
  }

  /** All projects of a state directory share its login. */
  #account(settings: Settings): Account {
    const { state_dir: stateDir, login_issuer: issuer } = settings;
    const { env, log } = this.#options;
    const known = this.#accounts.get(stateDir);
    if (known !== undefined) return known;
    const account = new Account({
      stateDir,
      issuer,
      env,
      upstreamProxy: upstreamProxyOf({ settings, env, keys: this.#keys }),
      log,
      onEvent: ({ type: action, ...rest }) => {
        for (const { audit, running } of this.#projects.values())
          if (running !== undefined)
            audit.record({ event: "credential", action, source: "ChatGPT login", ...rest });
      },
    });
    this.#accounts.set(stateDir, account);
    return account;
  }

  #hostOf(project: Project, buf: number): ProjectServices {
    const { editor, log, env } = this.#options;
    const filesChanged = () => void editor.call.buf_reload({ root: project.root });
    return {
      root: project.root,
      get settings() {
        return project.settings;
      },
      log,
      backend: (signal, onProgress) => project.backend(signal, onProgress),
      prepareBackend: (onProgress) => project.prepare(onProgress),
      renewBackend: () => project.renew(this.#conversations.get(buf)),
      running: () => project.running,
      gitPlace: () => project.gitPlace(),
      network: project.network,
      changes: project.changes,
      turnHooks: project.turnHooks,
      audit: project.audit,
      account: project.account,
      credential: () =>
        credentialLine({ settings: project.settings, env, account: project.account }),
      sandbox: {
        projectDir: project.dir,
        env: this.#options.env,
        isBusy: () => project.isBusy,
        stop: (why, after) => project.stop(why, after),
      },
      abandonBackend: (failure) => void project.stop(failure),
      runTool: (call) => editor.call.tool_run(buf, call),
      flushEarlyNotifications: (thread) => project.flushEarlyNotifications(thread),
      reviewed: throttle((findings) => void editor.call.quickfix_set(findings), CALM_MS),
      filesChanged,
      filesChanging: throttle(filesChanged, CALM_MS),
      emit: (name, data) => {
        const fits = events[name].safeParse({ buf, ...data });
        if (!fits.success) log.error({ name, issues: fits.error.issues }, "an event is malformed");
        void editor.call.event_emit(name, { buf, ...data });
        if (name === "TurnEnded") project.rest();
      },
    };
  }

  async #forget(buf: number, conversation: Conversation): Promise<void> {
    this.#conversations.delete(buf);
    this.#lanes.delete(buf);
    conversation.interrupt();
    await conversation.close("The chat was closed before this turn was over.");
    conversation.thread.leave();
    for (const project of this.#projects.values()) project.conversations.delete(conversation);
  }

  async #stopSandbox(conversation: Conversation): Promise<void> {
    await this.#projectOf(conversation)?.stop({
      kind: "sandbox_stopped",
      message: "The sandbox was stopped.",
      fix: "Send again: that starts it.",
    });
  }

  #projectOf(conversation: Conversation): Project | undefined {
    return [...this.#projects.values()].find((project) => project.conversations.has(conversation));
  }
}

function toQuery({
  id,
  text,
  context_line: contextLine,
  context,
  unsaved,
}: NotificationParams<"turn/send">): Query {
  return {
    id,
    text,
    context,
    unsaved,
    ...(contextLine === undefined ? {} : { contextLine }),
  };
}
