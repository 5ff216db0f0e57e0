import { stat } from "node:fs/promises";
import { hostname, release } from "node:os";
import { isAbsolute } from "node:path";
import { quoteForShell } from "../../look.ts";
import { findProgram } from "../../programs.ts";
import { runtimeAdvice, type SandboxError } from "../error.ts";
import type { Engine, EngineRuntime } from "./engine.ts";

/** What is known here about the program that the engine starts as a runtime. */
export type RuntimeProgram =
  | { readonly at: "there" }
  /** It cannot be found out here; `why` is a part of a sentence. */
  | { readonly at: "unknown"; readonly why: string }
  | { readonly at: "wrong"; readonly error: SandboxError };

/**
 * Looks for a registered runtime's program. The engine looks for it only when it starts a container,
 * and in its own file system, which may not be this one: a program that is missing here may exist
 * there, and only a container proves that it does.
 */
export async function lookForRuntime(
  engine: Pick<Engine, "kernel" | "machine" | "product" | "rootless">,
  { name, path }: EngineRuntime & { readonly name: string },
): Promise<RuntimeProgram> {
  if (path === "") return unknown("the engine does not say where it is");
  if (engine.kernel !== release())
    return unknown(
      `the engine runs on another kernel (${engine.kernel || "unknown"}), as in a virtual machine`,
    );
  if (engine.machine !== hostname())
    return unknown(
      `the engine calls its machine "${engine.machine}", and this one is "${hostname()}"`,
    );
  if (!isAbsolute(path))
    return findProgram(path).ok
      ? { at: "there" }
      : unknown(`${path} is looked for on the engine's own PATH`);
  try {
    const stats = await stat(path);
    if (stats.isFile() && (stats.mode & 0o111) !== 0) return { at: "there" };
    const what = stats.isFile() ? "is not executable" : "is not a file";
    return wrong(engine, name, `${path} ${what}`, `sudo chmod a+rx ${quoteForShell(path)}\nor: `);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR")
      return wrong(engine, name, `there is no ${path}`, "");
    return unknown(`${path} cannot be accessed (${code})`);
  }
}

function unknown(why: string): RuntimeProgram {
  return { at: "unknown", why };
}

function wrong(
  engine: Pick<Engine, "product" | "rootless">,
  runtime: string,
  detail: string,
  first: string,
): RuntimeProgram {
  return {
    at: "wrong",
    error: {
      kind: "runtime_broken",
      message: `The engine has the runtime "${runtime}", but ${detail}.`,
      fix: `${first}Install gVisor (:help codex-chat-gvisor), and register it again.\n${runtimeAdvice(engine, runtime)}`,
      runtime,
      detail,
    },
  };
}
