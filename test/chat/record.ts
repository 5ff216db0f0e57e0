/** Records the notifications of the real app-server in a scenario, as a golden's `events.jsonl`. */

import { mkdir, mkdtemp, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { NOTIFICATIONS } from "../../src/codex/messages/notification.ts";
import { startModelServer } from "../../src/offline/model-server.ts";
import { type Recorded, startRecorded } from "./recorded.ts";
import { type Recording, recordings } from "./recordings.ts";
import { root } from "./replay.ts";

/** Records the scenarios whose names contain one of `words`; all if there are none. */
export async function record(golden: string, words: readonly string[]): Promise<void> {
  for (const [name, recording] of Object.entries(recordings)) {
    if (words.length > 0 && !words.some((word) => name.includes(word))) continue;
    const lines = await recordOne(recording);
    await mkdir(join(golden, name), { recursive: true });
    await writeFile(join(golden, name, "events.jsonl"), `${lines.join("\n")}\n`);
    process.stdout.write(`${name}: ${lines.length} events\n`);
  }
}

async function recordOne(recording: Recording): Promise<string[]> {
  const base = await realpath(await mkdtemp(join(tmpdir(), "codex-chat-record-")));
  const project = join(base, "engine");
  const home = join(base, "home");
  await mkdir(project);
  await mkdir(home);
  await writeFiles(project, recording.files ?? {});
  await writeFiles(home, recording.homeFiles ?? {});
  const model = await startModelServer({ script: recording.model });
  try {
    const server = await startRecorded({ project, home, modelUrl: model.url, recording });
    try {
      await recording.play(server);
    } finally {
      await server.close();
    }
    return plain(server, [
      [project, root],
      [home, "/home/ada/.codex"],
      [base, "/tmp"],
      [model.url, "http://127.0.0.1:4711/v1"],
    ]);
  } finally {
    await model.close();
    await rm(base, { recursive: true, force: true, maxRetries: 10 });
  }
}

async function writeFiles(dir: string, files: Readonly<Record<string, string>>): Promise<void> {
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(dir, path)), { recursive: true });
    await writeFile(join(dir, path), content);
  }
}

/** The notifications without the parts that differ from run to run: ids, times, paths. */
function plain(server: Recorded, places: readonly (readonly [string, string])[]): string[] {
  const ids = new Map([[server.thread, "t1"]]);
  let firstMs: number | undefined;
  const named = (id: string, kind: string): string => {
    const known = ids.get(id);
    if (known !== undefined) return known;
    const name = `${kind}${[...ids.values()].filter((other) => other.startsWith(kind)).length + 1}`;
    ids.set(id, name);
    return name;
  };
  const clean = (value: unknown, key: string): unknown => {
    if (typeof value === "number" && /(?:At|AtMs)$/.test(key) && value > 1e9) {
      const ms = value > 1e12 ? value : value * 1000;
      firstMs ??= ms;
      return Math.max(1, Math.round(ms - firstMs));
    }
    if (typeof value === "string") {
      if (value === "" || ids.has(value)) return ids.get(value) ?? value;
      if (/thread/i.test(key) && /^[0-9a-f-]{36}$/.test(value)) return named(value, "t");
      if (key === "turnId" || (key === "id" && /^[0-9a-f]{8}-/.test(value)))
        return named(value, "u");
      const told = places.reduce((text, [from, to]) => text.replaceAll(from, to), value);
      return [...ids].reduce((text, [id, name]) => text.replaceAll(id, name), told);
    }
    if (Array.isArray(value)) return value.map((entry) => clean(entry, key.replace(/s$/, "")));
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(
      Object.entries(value).map(([name, field]) => [
        clean(name, "threadKey") as string,
        clean(field, name),
      ]),
    );
  };
  return server.events
    .filter((event) => event.type !== undefined || Object.hasOwn(NOTIFICATIONS, event.method))
    .map((event) => JSON.stringify(clean(event, "")));
}
