import { readdir, readFile } from "node:fs/promises";

/** Lists the processes whose real uid is `uid`, without those that have ended and wait to be read. */
export async function processesOf(uid: number): Promise<number[]> {
  const pids: number[] = [];
  for (const name of await readdir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const status = await readFile(`/proc/${name}/status`, "utf8").catch(() => "");
    if (isOf(status, uid)) pids.push(Number(name));
  }
  return pids;
}

/** Reads a `/proc/<pid>/status`. */
export function isOf(status: string, uid: number): boolean {
  const real = /^Uid:\t(\d+)\t/m.exec(status)?.[1];
  const state = /^State:\t(\w)/m.exec(status)?.[1];
  return real === String(uid) && state !== "Z" && state !== "X";
}
