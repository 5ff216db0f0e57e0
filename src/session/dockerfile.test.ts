import { execFileSync } from "node:child_process";
import { link, mkdir, mkdtemp, readFile, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { allowDockerfile, findDockerfile } from "./dockerfile.ts";
import { Settings } from "./settings.ts";

const MINE = "FROM mine\n";
const EVIL = "FROM evil\n";

let base: string;
beforeEach(async () => {
  base = await realpath(await mkdtemp(join(tmpdir(), "codex-chat-dockerfile-")));
  for (const dir of ["project", "home", "shared"]) await mkdir(join(base, dir));
});
afterEach(() => rm(base, { recursive: true, force: true }));

const at = (...names: string[]) => join(base, ...names);
const where = (dockerfile: string) => ({
  root: at("project"),
  settings: Settings.parse({
    state_dir: at("state"),
    sandbox: { dockerfile, mounts: [{ source: at("shared"), write: true }] },
  }),
});
const content = async (dockerfile: string) => {
  const found = await findDockerfile(where(dockerfile));
  return found.ok ? [found.value?.file.content, found.value?.note] : [found.error.kind];
};
/** What the refusal tells the user to type. */
const hashFor = async (dockerfile: string) => {
  const found = await findDockerfile(where(dockerfile));
  const text = found.ok ? found.value?.note : found.error.mend;
  return /sandbox allow ([0-9a-f]{12})\b/.exec(text ?? "")?.[1] ?? "none";
};

describe("the user's Dockerfile", () => {
  it("is built as it is where the agent cannot write it", async () => {
    await writeFile(at("home/Dockerfile"), MINE);
    expect(await content(at("home/Dockerfile"))).toEqual([MINE, undefined]);
    await writeFile(at("home/Dockerfile"), "FROM other\n");
    expect(await content(at("home/Dockerfile"))).toEqual(["FROM other\n", undefined]);
  });

  it.each([
    ["in the project", "Dockerfile", async () => writeFile(at("project/Dockerfile"), EVIL)],
    ["in a writable mount", "SHARED", async () => writeFile(at("shared/Dockerfile"), EVIL)],
    [
      "behind a link of the project's",
      "Dockerfile",
      async () => {
        await writeFile(at("home/Dockerfile"), EVIL);
        await symlink(at("home/Dockerfile"), at("project/Dockerfile"));
      },
    ],
    [
      "outside, and a link into the project",
      "HOME",
      async () => {
        await writeFile(at("project/x"), EVIL);
        await symlink(at("project/x"), at("home/Dockerfile"));
      },
    ],
    [
      "outside, and has another name in the project",
      "HOME",
      async () => {
        await writeFile(at("project/x"), EVIL);
        await link(at("project/x"), at("home/Dockerfile"));
      },
    ],
  ])("is not built without leave where it lies %s", async (_title, name, plant) => {
    await plant();
    const paths: Record<string, string> = {
      SHARED: at("shared/Dockerfile"),
      HOME: at("home/Dockerfile"),
    };
    expect(await content(paths[name] ?? name)).toEqual(["dockerfile_unknown"]);
  });

  it("is built in the version that was allowed, whatever becomes of it", async () => {
    const path = at("project/Dockerfile");
    await writeFile(path, MINE);
    const hash = await hashFor("Dockerfile");
    expect(await allowDockerfile(where("Dockerfile"), "0123456789ab")).toMatchObject({ ok: false });
    expect(await content("Dockerfile")).toEqual(["dockerfile_unknown"]);
    expect(await allowDockerfile(where("Dockerfile"), hash)).toMatchObject({ ok: true });
    expect(await content("Dockerfile")).toEqual([MINE, undefined]);

    await writeFile(path, EVIL);
    const [built, note] = await content("Dockerfile");
    expect(built).toBe(MINE);
    expect(note).toContain("has changed since you allowed it; the allowed version stays in use");
    // What the user is told to read is what would be allowed.
    const copy = /read (\S+) and/.exec(note ?? "")?.[1] ?? "";
    expect(await readFile(copy, "utf8")).toBe(EVIL);

    // Between reading and allowing the agent writes another one.
    const shown = await hashFor("Dockerfile");
    await writeFile(path, `${EVIL}RUN worse\n`);
    expect(await allowDockerfile(where("Dockerfile"), shown)).toMatchObject({ ok: false });
    expect((await content("Dockerfile"))[0]).toBe(MINE);
    await rm(path);
    expect((await content("Dockerfile"))[0]).toBe(MINE);
  });

  it("is refused with the reason where it is none", async () => {
    expect(await content("absent")).toEqual(["dockerfile_unreadable"]);
    expect(await content(at("home"))).toEqual(["dockerfile_unreadable"]);
    execFileSync("mkfifo", [at("project/pipe")]);
    expect(await content("pipe")).toEqual(["dockerfile_unreadable"]);
    await writeFile(at("home/large"), "#".repeat(300_000));
    expect(await content(at("home/large"))).toEqual(["dockerfile_unreadable"]);
  });
});
