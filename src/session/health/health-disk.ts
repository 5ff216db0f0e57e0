import { statfs } from "node:fs/promises";
import { quoteForShell } from "../../look.ts";
import { type HealthLine, healthLine } from "./health-line.ts";

/** A warning if a file system has too little free space; nothing if that cannot be found out. */
export async function diskSpaceLines(
  section: string,
  dir: string,
  neededBytes: number,
): Promise<HealthLine[]> {
  const found = await statfs(dir).catch(() => undefined);
  if (found === undefined) return [];
  const free = found.bavail * found.bsize;
  if (free >= neededBytes) return [];
  const mib = (bytes: number) => Math.round(bytes / 1024 ** 2);
  return [
    healthLine(
      section,
      "warn",
      `only ${mib(free)} MiB are free at ${dir}; ${mib(neededBytes)} MiB are needed`,
      [
        `df -h ${quoteForShell(dir)}`,
        ...(section === "Sandbox"
          ? ["docker system df", ":CodexChat sandbox prune, then docker system prune"]
          : ["Delete what is not needed there."]),
      ],
    ),
  ];
}
