import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { appServerArgs, type CodexClient, openCodexClient } from "../../codex/index.ts";
import { createEgress, type Egress } from "../../egress/index.ts";
import type { Log } from "../../log.ts";
import { err, ok, type Result } from "../../result.ts";
import type { SandboxProcess } from "../../sandbox/engine/index.ts";
import { describeEnd, type Sandbox } from "../../sandbox/index.ts";
import type { NewlyTrustedPaths } from "../../sandbox/mounts/index.ts";
import type { PrivateGit } from "../../workspace/git/index.ts";
import { openCredential, upstreamProxyOf } from "../auth/index.ts";
import { damagedHome, type Failure, failureOf, STOPPED } from "../failure.ts";
import { GVISOR } from "../gvisor.ts";
import { beginGit } from "../hooks/index.ts";
import {
  localServices,
  type Settings,
  type UsableServers,
  usableServers,
} from "../settings/index.ts";
import type { BackendOptions } from "./options.ts";
import { prepareSandbox } from "./prepare-sandbox.ts";
import { judgeProject } from "./project-place.ts";
import { proxyEnv, withProxy } from "./proxy-env.ts";
import { portsBeside, type RelayPorts, superviseRelay } from "./relay-supervisor.ts";

/** How much of a process's stderr is logged. */
const MAX_LOGGED_CHARS = 1_000_000;

/** How long after its processes the engine may take to report that the container has ended. */
const SANDBOX_END_MS = 2000;

/** The running parts that a project needs for turns. */
export type Backend = {
  readonly client: CodexClient;
  readonly egress: Egress;
  /** The agent's own git directory; undefined if it has none. */
  readonly git: PrivateGit | undefined;
  /** The winbar's label: "gVisor", or the name of the weaker runtime that the user chose. */
  readonly sandboxLabel: string;
  /** Notes for the user: what could not be protected or limited. */
  readonly notes: readonly string[];
  /** Paths that must be protected by now but are still writable in the sandbox. */
  readonly lateSince: () => Promise<NewlyTrustedPaths>;
  /** Whether Codex may write a file at this path, which is then in the project as well. */
  readonly mayWrite: Sandbox["mayWrite"];
  /** Makes gVisor close written files; undefined if the runtime is not gVisor. */
  readonly letGo: Sandbox["letGo"] | undefined;
  /** Settles once, with the failure of the part that ended first; never rejects. */
  readonly ended: Promise<Failure>;
  /** Stops all parts; idempotent. */
  close(): Promise<void>;
};

/**
 * Starts the sandbox, and in it the relay and the app-server. If one fails, those that were started are
 * stopped again.
 */
export async function startBackend(options: BackendOptions): Promise<Result<Backend, Failure>> {
  const closers: (() => Promise<void> | void)[] = [];
  const close = runOnce(async () => {
    for (const closer of closers.reverse()) {
      try {
        await closer();
      } catch (err) {
        // The other parts are still to be ended.
        options.log.error({ err }, "a part of the backend was not closed");
      }
    }
  });
  try {
    const started = await startParts(options, closers);
    if (!started.ok) {
      await close();
      return started;
    }
    return ok({ ...started.value, close });
  } catch (thrown) {
    await close();
    if (options.signal.aborted) return err(STOPPED);
    options.log.error({ err: thrown }, "the backend did not start");
    return err(failureOf("backend", "Codex could not be started", thrown));
  }
}

async function startParts(
  options: BackendOptions,
  closers: (() => Promise<void> | void)[],
): Promise<Result<Omit<Backend, "close">, Failure>> {
  const { settings, env, log, signal } = options;
  // First of all: nothing is built for a refused directory, and no key command is run.
  const judged = await judgeProject(options.root, settings, env);
  if (!judged.ok) return judged;
  // Before anything is started: a missing key is the most common mistake of a new user.
  const credential = await openCredential({ ...options, env, signal });
  if (!credential.ok) return credential;
  const prepared = await prepareSandbox(options);
  if (!prepared.ok) return prepared;
  const { sandbox, runtimeLabel } = prepared.value;
  // A failure is only logged: its cause also prevents the next start, which reports it.
  closers.push(() => sandbox.release());

  // Side by side with the other parts: it takes as long as starting the relay.
  const filling = beginGit(prepared.value.git, sandbox);
  // It is awaited at the end; until then a rejection has no handler.
  filling.catch(() => {});
  options.onProgress("Starting the relay and Codex");
  const egress = createEgress({
    upstream: {
      baseUrl: credential.value.endpoint.url,
      headers: credential.value.endpoint.headers,
      authorization: credential.value.authorization,
      renew: credential.value.renew,
      upstreamProxy: upstreamProxyOf(options),
    },
    limits: {
      maxRequestsPerTurn: settings.limits.requests_per_turn,
      maxConcurrent: settings.limits.concurrent_requests,
      maxBytesPerTurn: settings.limits.bytes_per_turn,
      maxTokensPerTurn: settings.limits.tokens_per_turn,
      responseIdleMs: settings.limits.response_idle_ms,
      silenceMs: settings.limits.silence_ms,
    },
    models: options.models,
    efforts: options.efforts,
    network: options.network,
    onEvent: options.onEgress,
    onRequest: options.onRequest,
    log,
  });
  closers.push(() => egress.close());
  const onProcess = (process: SandboxProcess) => void logStderr(process, "relay", log);
  const local = localServices(settings.network.allow);
  // In a container that was joined, other relays and the agent's programs may have any port.
  const ports = sandbox.joined ? undefined : portsBeside(local);
  const relaying = superviseRelay({ sandbox, egress, local, ports, signal, log, onProcess });
  closers.push(async () => {
    const started = await relaying.catch(() => undefined);
    if (started?.ok === true) started.value.close();
  });
  const servers = usableServers(settings.mcp_servers, settings.sandbox.env, settings.network.allow);
  const start = (at: RelayPorts) => startAppServer(sandbox, at, servers.servers, options, closers);
  const beside = ports === undefined ? undefined : start(ports);
  // Awaited below in any case: it has started a process, and adds what ends it.
  beside?.catch(() => {});
  const relay = await relaying;
  if (!relay.ok) {
    await beside;
    return relay;
  }
  const agent = await (beside ?? start(relay.value));
  if (!agent.ok) return agent;
  const { client, exited } = agent.value;
  const git = await filling;
  const sandboxEnded = sandbox.died.then(
    (end): Failure => ({ kind: "sandbox", ...describeEnd(end) }),
  );
  const partEnded = Promise.race([
    relay.value.ended.then((why) =>
      partFailure("relay", `The relay in the sandbox ended: ${why}.`),
    ),
    exited.then((exitCode) =>
      partFailure(
        "app_server",
        `Codex's app-server ended${exitCode === null ? "" : ` with exit code ${exitCode}`}.`,
      ),
    ),
    client.closed.then(() =>
      partFailure("app_server", "The connection to Codex's app-server ended."),
    ),
  ]);
  // Processes that end with their container are noticed first, but do not say why.
  const ended = Promise.race([
    sandboxEnded,
    partEnded.then((failure) =>
      Promise.race([sandboxEnded, pause(SANDBOX_END_MS, failure, { ref: false })]),
    ),
  ]);
  return ok({
    client,
    egress,
    git: git.git,
    sandboxLabel: runtimeLabel,
    notes: [...sandbox.notes, ...git.notes, ...servers.notes],
    lateSince: sandbox.lateSince,
    mayWrite: sandbox.mayWrite,
    letGo: runtimeLabel === GVISOR ? sandbox.letGo : undefined,
    ended,
  });
}

async function startAppServer(
  sandbox: Sandbox,
  relay: RelayPorts,
  servers: UsableServers["servers"],
  options: BackendOptions,
  closers: (() => Promise<void> | void)[],
): Promise<Result<{ client: CodexClient; exited: Promise<number | null> }, Failure>> {
  const { settings, log } = options;
  const proxy = proxyEnv(relay.proxyPort);
  const process = await sandbox.exec({
    argv: [
      ...(["sh", "/opt/codex-chat/codex.sh"] as const),
      callsOnlyTheModel(servers) ? "model" : "others",
      ...appServerArgs({
        modelBaseUrl: `http://127.0.0.1:${relay.modelPort}/v1`,
        model: settings.model,
        effort: settings.effort,
        // Codex never asks about input to a terminal (0.169), so a user who wants to be asked for
        // everything gets no terminals.
        terminals: settings.approvals !== "untrusted",
        loginShells: isOwnImage(settings),
        mcpServers: withProxy(servers, proxy),
        streamIdleMs: settings.limits.response_idle_ms,
      }),
    ],
    env: proxy,
    cwd: options.root,
  });
  if (!process.ok) return process;
  const stderr = logStderr(process.value, "app-server", log);
  const client = openCodexClient({
    readable: process.value.stdout,
    writable: process.value.stdin,
    onNotification: options.onNotification,
    onApproval: options.onApproval,
    onTool: options.onTool,
    onClash: options.onClash,
    onRefused: options.onRefused,
    onNote: options.onNote,
    log,
  });
  closers.push(async () => {
    await client.close();
    process.value.kill();
  });
  const hello = await client.initialize(
    { name: "codex-chat.nvim", title: "codex-chat.nvim", version: options.version },
    { signal: options.signal },
  );
  if (!hello.ok) {
    const output = stderr()
      .replace(/^WARNING: .*$/gm, "")
      .trim();
    const codexHome = join(options.projectDir, "codex-home");
    return err({
      kind: "app_server",
      message: `Codex's app-server did not start: ${output === "" ? hello.error.message : output}`,
      fix: output.includes(codexHome) ? damagedHome(codexHome) : "See :CodexChat log.",
    });
  }
  const skills = await setSkillRoots(client, sandbox, options);
  if (!skills.ok) log.warn({ error: skills.error }, "the user's skills were not accepted");
  return ok({ client, exited: process.value.exited.then((exit) => exit.exitCode) });
}

/** Whether Codex itself connects to nothing else: it does to remote MCP servers, and needs TLS for it. */
function callsOnlyTheModel(servers: UsableServers["servers"]): boolean {
  return Object.values(servers).every((server) => "command" in server);
}

/** Whether the image is the user's, whose /etc/profile may set what its programs need. */
function isOwnImage({ sandbox }: Settings): boolean {
  return sandbox.image !== undefined || sandbox.dockerfile !== undefined;
}

/** Makes Codex look for skills in the user's directories, whose paths are the same inside. */
async function setSkillRoots(
  client: CodexClient,
  sandbox: Sandbox,
  { settings, signal }: BackendOptions,
): Promise<Result<unknown, Failure>> {
  if (settings.skills_dirs.length === 0) return ok();
  return client.request("skills/extraRoots/set", { extraRoots: sandbox.readable }, { signal });
}

/** Logs the stderr of a process in the sandbox, and keeps the end of it for an error message. */
function logStderr(process: SandboxProcess, name: string, log: Log): () => string {
  let tail = "";
  let logged = 0;
  process.stderr.setEncoding("utf8");
  process.stderr.on("data", (text: string) => {
    tail = (tail + text).slice(-2000);
    // SECURITY: a program inside may write there without end, and the log is on the user's disk.
    if (logged >= MAX_LOGGED_CHARS) return;
    logged += text.length;
    log.warn({ from: name, text: text.slice(0, 8000) }, "stderr");
    if (logged >= MAX_LOGGED_CHARS) log.warn({ from: name }, "no more of its stderr is logged");
  });
  process.stderr.on("error", () => undefined);
  return () => tail;
}

function partFailure(kind: string, message: string): Failure {
  return { kind, message, fix: "Send again: that restarts everything." };
}

function runOnce(run: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined;
  return () => {
    running ??= run();
    return running;
  };
}
