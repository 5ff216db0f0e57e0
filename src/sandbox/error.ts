import { existsSync } from "node:fs";

/** What every sandbox error carries: what failed and what was expected, and how to fix it. */
type Failure<K extends string, Extra = unknown> = {
  readonly kind: K;
  /** What failed and what was expected, in one or two sentences for the user. */
  readonly message: string;
  /** The command or steps that fix it; lines are separated by `\n`. */
  readonly fix: string;
  readonly cause?: unknown;
} & Extra;

/** The parts of the self-test. */
export const SELF_TEST_PARTS = [
  "start",
  "image",
  "gvisor",
  "devices",
  "network",
  "sockets",
  "privileges",
  "ownership",
  "read_only",
  "limits",
] as const;

/** The part of the self-test that failed or could not be checked. */
export type SelfTestPart = (typeof SELF_TEST_PARTS)[number];

/** A row of the self-test's table: one attempt from inside, and its result. */
export type Check = {
  readonly name: string;
  readonly part: SelfTestPart;
  /** What it tries. */
  readonly tries: string;
  /** The result, in words. */
  readonly happened: string;
  /** `weaker`: it does not hold, as is known of the runtime that the user has named. */
  readonly verdict: "held" | "weaker" | "failed";
};

/** Everything that ordinary use of the sandbox can meet. */
export type SandboxError =
  /** No Docker-compatible socket was found at all. */
  | Failure<"no_engine">
  /** A socket is named or found, but does not answer or does not let this user in. */
  | Failure<"engine_unreachable", { readonly host: string; readonly permission: boolean }>
  /** The engine is on another machine: bind mounts would name that machine's files. */
  | Failure<"engine_remote", { readonly host: string }>
  /** The runtime is not registered with the engine. */
  | Failure<"no_runtime", { readonly runtime: string; readonly known: readonly string[] }>
  /** The runtime is registered but cannot be used in its present state. */
  | Failure<"runtime_broken", { readonly runtime: string; readonly detail: string }>
  /** The probe container showed that the sandbox does not hold, or could not show that it does. */
  | Failure<
      "self_test_failed",
      {
        readonly part: SelfTestPart;
        readonly detail: string;
        /** All attempts; empty if the probe was not run. */
        readonly checks: readonly Check[];
      }
    >
  /** The image that was asked for does not exist. */
  | Failure<"image_missing", { readonly image: string }>
  /** The image could not be built; `log` holds the last lines of the build. */
  | Failure<"image_build_failed", { readonly log: readonly string[] }>
  /** The user's image lacks programs that the sandbox needs; `lacking` names them. */
  | Failure<"image_unfit", { readonly lacking: readonly string[] }>
  /** The installed `@openai/codex` lacks the binaries for this machine. */
  | Failure<"codex_missing">
  /** The directory must not be given to an agent. */
  | Failure<"project_refused", { readonly root: string }>
  /** The state directory cannot be written. */
  | Failure<"state_unwritable", { readonly path: string }>
  /** Another Neovim uses a container of this project that was made with other options. */
  | Failure<"sandbox_in_use">
  /** The project's directory cannot be watched for protected files that are replaced. */
  | Failure<"watch_failed">
  /** The container could not be created, started or joined. */
  | Failure<"container_failed">
  /** A process could not be started in the container. */
  | Failure<"exec_failed">
  /** No space is left on the engine's disk. */
  | Failure<"disk_full">;

/** An error as the engine's API reports it: a status and a message, or a socket error code. */
export type EngineFault = {
  readonly status?: number;
  readonly code?: string;
  readonly text: string;
};

/** The status, code and text of anything that dockerode rejects with. */
export function engineFault(cause: unknown): EngineFault {
  if (!(cause instanceof Error)) return { text: String(cause) };
  const { statusCode, code } = cause as { statusCode?: unknown; code?: unknown };
  return {
    ...(typeof statusCode === "number" ? { status: statusCode } : {}),
    ...(typeof code === "string" ? { code } : {}),
    text: cause.message.replace(/^\(HTTP code \d+\) [a-z ]*- /i, "").trim(),
  };
}

const RUNTIME_ARGS = "--network=none --directfs=false";

/** The commands that register gVisor with Docker, under a name of its own. */
export function runtimeSetup(runtime: string): string {
  return `sudo runsc install --runtime=${runtime} -- ${RUNTIME_ARGS}\nsudo systemctl restart docker`;
}

/** The commands that register gVisor with an engine. */
export function runtimeAdvice(
  engine: { readonly product: string; readonly rootless: boolean },
  runtime: string,
): string {
  if (engine.product === "Podman") {
    const conf = engine.rootless ? "~/.config/containers" : "/etc/containers";
    return [
      "Podman passes no arguments to a runtime, so write a script /usr/local/bin/codex-chat-runsc:",
      `#!/bin/sh\nexec runsc ${RUNTIME_ARGS} "$@"`,
      "Make it executable: sudo chmod 755 /usr/local/bin/codex-chat-runsc",
      `Put this into ${conf}/containers.conf, because Podman's socket uses only the default runtime:`,
      `[engine]\nruntime = "${runtime}"\n[engine.runtimes]\n${runtime} = ["/usr/local/bin/codex-chat-runsc"]`,
      `${engine.rootless ? "systemctl --user" : "sudo systemctl"} restart podman.socket podman.service`,
    ].join("\n");
  }
  if (!engine.rootless) return runtimeSetup(runtime);
  return [
    "mkdir -p ~/.config/docker",
    `runsc install --config_file ~/.config/docker/daemon.json --runtime=${runtime} -- ${RUNTIME_ARGS}`,
    "systemctl --user restart docker",
  ].join("\n");
}

/** Commands that free space where the engine keeps its data; this plugin's own data first. */
export const DISK_FULL =
  "docker system df\n:CodexChat sandbox prune removes what earlier versions of this plugin have left; docker system prune removes leftovers of other programs.";

/**
 * Turns a failure to create or start a container into an error that says what to do. The texts that
 * it knows are those of runsc and of Docker 20.10 to 28.
 */
export function containerFailure(
  cause: unknown,
  context: { readonly what: string; readonly runtime: string; readonly image: string },
): SandboxError {
  const { status, text } = engineFault(cause);
  if (/no space left on device|disk quota exceeded/i.test(text)) {
    return {
      kind: "disk_full",
      message: `${context.what} failed: no space is left where the engine keeps its data.`,
      fix: DISK_FULL,
      cause,
    };
  }
  if (/network enabled in root network namespace/i.test(text)) {
    return runtimeBroken(context.runtime, text, cause);
  }
  if (/unknown (or invalid )?runtime|runtime not found|invalid runtime/i.test(text)) {
    return {
      kind: "no_runtime",
      message: `The engine does not know the runtime "${context.runtime}".`,
      fix: `Install gVisor (:help codex-chat-gvisor).\n${runtimeSetup(context.runtime)}`,
      runtime: context.runtime,
      known: [],
      cause,
    };
  }
  if (/file name too long/i.test(text)) {
    return {
      kind: "container_failed",
      message: `${context.what} failed: the path of the project is too long to be mounted, because the engine puts its own directory in front of it.`,
      fix: "Move the project to a path of less than 3800 bytes.",
      cause,
    };
  }
  // Docker's text, then Podman's. The path exists here, so the engine sees another file system.
  const absent =
    /bind source path does not exist: (\/.*)$/.exec(text)?.[1] ??
    /statfs (\/.*): no such file or directory/.exec(text)?.[1];
  if (absent !== undefined && existsSync(absent)) {
    return {
      kind: "engine_remote",
      message: `${context.what} failed: the engine does not see ${absent} of this machine, so it runs on another one or in a virtual machine that does not share it.`,
      fix: "Use an engine of this machine: docker context ls, then docker context use default",
      host: "",
      cause,
    };
  }
  if (status === 404 && /no such image|image not known/i.test(text)) {
    return {
      kind: "image_missing",
      message: `The engine no longer has the image ${context.image}.`,
      fix: "Send again: that rebuilds the image.",
      image: context.image,
      cause,
    };
  }
  return {
    kind: "container_failed",
    message: `${context.what} failed: ${text || "the engine gave no reason"}`,
    fix: "See the engine's log: journalctl -u docker --since -5min",
    cause,
  };
}

/** The error for runsc's refusal to run with its own network stack in the root namespace. */
function runtimeBroken(runtime: string, detail: string, cause: unknown): SandboxError {
  return {
    kind: "runtime_broken",
    message: `The runtime "${runtime}" cannot start containers on this kernel without --network=none in its runtimeArgs (google/gvisor#10704).`,
    fix: runtimeSetup(runtime),
    runtime,
    detail,
    cause,
  };
}
