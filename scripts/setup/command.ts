import { execa } from "execa";
import { failSetup, type SetupError } from "./failure.ts";

/** How `run` starts a program. */
export type RunOptions = {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** What a failure is; `network` for programs that fetch. */
  readonly kind?: SetupError["kind"];
};

/** Runs a program and returns its stdout; fails with the end of its stderr. */
export async function run(
  file: string,
  args: readonly string[],
  { env = {}, cwd, kind = "command" }: RunOptions = {},
): Promise<string> {
  const result = await execa(file, [...args], {
    env: { LC_ALL: "C.UTF-8", ...env },
    ...(cwd === undefined ? {} : { cwd }),
    stdin: "ignore",
    reject: false,
    maxBuffer: 64 * 1024 * 1024,
  });
  if (!result.failed) return result.stdout;
  const words = result.stderr.trim().split("\n").slice(-12).join("\n");
  return failSetup(kind, `${file} ${args[0] ?? ""} failed:\n${words || result.shortMessage}`);
}
