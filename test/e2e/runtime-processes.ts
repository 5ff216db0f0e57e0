import { readdir, readFile } from "node:fs/promises";

/** The processes on this machine that gVisor runs a container with: its kernel, its file server. */
export async function runtimeProcesses(id: string): Promise<number[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name)).map(Number);
  const found = await Promise.all(
    pids.map(async (pid) => {
      const words = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
      return /^(runsc|[^\0]*\/runsc)/.test(words) && words.includes(id) ? [pid] : [];
    }),
  );
  return found.flat();
}
