import { cpus, release } from "node:os";
import { execa } from "execa";
import { checkout } from "../../scripts/setup/index.ts";
import { engineClient } from "../../src/sandbox/engine/client.ts";
import type { Run } from "./run.ts";

/** The machine, the programs' versions and the commit, in two lines. */
export async function describeMachine({
  program,
  engine,
}: Pick<Run, "program" | "engine">): Promise<string> {
  const info = await engineClient(engine.host).info();
  const runsc = (info as { Runtimes?: Record<string, { path?: string }> }).Runtimes?.["runsc"];
  const [neovim, gvisor, commit, changed] = await Promise.all([
    firstLine(program, ["--version"]),
    firstLine(runsc?.path ?? "runsc", ["--version"]),
    firstLine("git", ["-C", checkout, "rev-parse", "--short=12", "HEAD"]),
    firstLine("git", ["-C", checkout, "status", "--porcelain", "--untracked-files=no"]),
  ]);
  const processors = cpus();
  const model = processors[0]?.model.trim() ?? "";
  const parts = [
    `${processors.length} cores${model === "" ? "" : ` (${model})`}`,
    `Linux ${release()}`,
    `Node ${process.versions.node}`,
    ...[neovim.replace(/^NVIM v/, "Neovim "), gvisor.replace(/^runsc version /, "runsc ")],
    `Docker ${info.ServerVersion}`,
  ];
  return `Machine: ${parts.join(", ")}.\nCommit: ${commit}${changed === "" ? "" : ", with changes"}.`;
}

async function firstLine(program: string, args: readonly string[]): Promise<string> {
  const { stdout } = await execa(program, args, { stdin: "ignore", reject: false });
  return stdout.split("\n")[0] ?? "";
}
