import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { link, mkdir, mkdtemp, readFile, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Settings } from "../settings/settings.ts";
import { allowDockerfile, findDockerfile } from "./dockerfile.ts";

const MINE = "FROM mine\n";
const EVIL = "FROM evil\n";

/** A collision found in half a minute on one core: 48 bits of a hash prove nothing. */
const TWINS = ["FROM mine\n# 26664645\n", "FROM evil\n# 9035193\n"] as const;

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
/** The hash that the refusal tells the user to type. */
const hashFor = async (dockerfile: string) => {
  const found = await findDockerfile(where(dockerfile));
  const text = found.ok ? found.value?.note : found.error.fix;
  return /sandbox allow ([0-9a-f]{64})\b/.exec(text ?? "")?.[1] ?? "none";
};

const hashOf = (text: string) => createHash("sha256").update(text).digest("hex");
/** The directory with the copies that the user is told to read. */
const copiesOf = async (dockerfile: string) => {
  const found = await findDockerfile(where(dockerfile));
  const text = found.ok ? found.value?.note : found.error.fix;
  return dirname(/read (\S+) and/.exec(text ?? "")?.[1] ?? "");
};

describe("the user's Dockerfile", () => {
  it("is built without asking if the agent cannot write it", async () => {
    await writeFile(at("home/Dockerfile"), MINE);
    expect(await content(at("home/Dockerfile"))).toEqual([MINE, undefined]);
    await writeFile(at("home/Dockerfile"), "FROM other\n");
    expect(await content(at("home/Dockerfile"))).toEqual(["FROM other\n", undefined]);
  });

  it.each([
    ["in the project", "Dockerfile", async () => writeFile(at("project/Dockerfile"), EVIL)],
    ["in a writable mount", "SHARED", async () => writeFile(at("shared/Dockerfile"), EVIL)],
    [
      "behind a link in the project",
      "Dockerfile",
      async () => {
        await writeFile(at("home/Dockerfile"), EVIL);
        await symlink(at("home/Dockerfile"), at("project/Dockerfile"));
      },
    ],
    [
      "outside as a link into the project",
      "HOME",
      async () => {
        await writeFile(at("project/x"), EVIL);
        await symlink(at("project/x"), at("home/Dockerfile"));
      },
    ],
    [
      "outside with a hard link in the project",
      "HOME",
      async () => {
        await writeFile(at("project/x"), EVIL);
        await link(at("project/x"), at("home/Dockerfile"));
      },
    ],
  ])("is not built before it is allowed if it lies %s", async (_title, name, plant) => {
    await plant();
    const paths: Record<string, string> = {
      SHARED: at("shared/Dockerfile"),
      HOME: at("home/Dockerfile"),
    };
    expect(await content(paths[name] ?? name)).toEqual(["dockerfile_unknown"]);
  });

  it("is built in the version that was allowed, even if it changes meanwhile", async () => {
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
    // The copy that the user is told to read is the version that would be allowed.
    const copy = /read (\S+) and/.exec(note ?? "")?.[1] ?? "";
    expect(await readFile(copy, "utf8")).toBe(EVIL);
    await rm(path);
    expect((await content("Dockerfile"))[0]).toBe(MINE);
  });

  it("is allowed in the version that was shown, even if the agent has changed it since", async () => {
    const path = at("project/Dockerfile");
    await writeFile(path, MINE);
    const shown = await hashFor("Dockerfile");
    await writeFile(path, EVIL);
    // Never shown, so there is no copy of it.
    expect(await allowDockerfile(where("Dockerfile"), hashOf(EVIL))).toMatchObject({ ok: false });
    expect(await allowDockerfile(where("Dockerfile"), shown)).toMatchObject({ ok: true });
    expect((await content("Dockerfile"))[0]).toBe(MINE);
  });

  it("is not confused with another one whose hash begins with the same twelve digits", async () => {
    const [mine, evil] = TWINS;
    const digits = hashOf(mine).slice(0, 12);
    expect(hashOf(evil).slice(0, 12)).toBe(digits);
    const path = at("project/Dockerfile");
    await writeFile(path, mine);
    expect(await hashFor("Dockerfile")).toBe(hashOf(mine));
    await writeFile(path, evil);
    expect(await allowDockerfile(where("Dockerfile"), digits)).toMatchObject({ ok: true });
    expect((await content("Dockerfile"))[0]).toBe(mine);

    // By now both were shown, so the digits are ambiguous.
    const both = await allowDockerfile(where("Dockerfile"), digits);
    expect(!both.ok && both.error.message).toContain("2 versions");
    expect((await content("Dockerfile"))[0]).toBe(mine);
    expect(await allowDockerfile(where("Dockerfile"), hashOf(evil))).toMatchObject({ ok: true });
    expect((await content("Dockerfile"))[0]).toBe(evil);
  });

  it.each<[string, (copy: string) => Promise<void>]>([
    ["gone", (copy) => rm(copy)],
    ["changed", (copy) => writeFile(copy, EVIL)],
  ])("is not allowed by a copy that is %s", async (_name, spoil) => {
    await writeFile(at("project/Dockerfile"), MINE);
    const hash = await hashFor("Dockerfile");
    await spoil(join(await copiesOf("Dockerfile"), hash));
    expect(await allowDockerfile(where("Dockerfile"), hash)).toMatchObject({
      ok: false,
      error: { kind: "dockerfile_unknown" },
    });
    expect(await content("Dockerfile")).toEqual(["dockerfile_unknown"]);
  });

  it.each(["", "898d", "0".repeat(65), "../../../etc/passwd", "0123456789aX", "0123456789a*"])(
    'is not allowed by "%s"',
    async (typed) => {
      await writeFile(at("project/Dockerfile"), MINE);
      await hashFor("Dockerfile");
      expect(await allowDockerfile(where("Dockerfile"), typed)).toMatchObject({ ok: false });
    },
  );

  it("is not allowed by the hash of another project's file", async () => {
    await mkdir(at("other"));
    const other = { ...where("Dockerfile"), root: at("other") };
    await writeFile(at("project/Dockerfile"), MINE);
    await writeFile(at("other/Dockerfile"), MINE);
    const hash = await hashFor("Dockerfile");
    expect(await allowDockerfile(other, hash)).toMatchObject({ ok: false });
  });

  it.each<[string, string]>([
    ["a line that a carriage return hides", "RUN evil\r# fine\n"],
    ["right-to-left text", "RUN a \u202e b\n"],
    ["invisible characters", "RUN a\ufe0f\n"],
    ["a terminal escape sequence", "RUN evil\u001b[2K\n"],
    ["letters of another script", "ADD https://ex\u0430mple.org/x /x\n"],
    ["a byte order mark", "\ufeffFROM mine\n"],
    ["a directive for another builder", "# syntax=evil/frontend\nFROM mine\n"],
    ["such a directive in another spelling", " #Syntax = evil/frontend\nFROM mine\n"],
    ["another escape character", "# escape=`\nFROM mine\n"],
    ["a line longer than editors show", `RUN true${" ".repeat(2000)}; evil\n`],
  ])("cannot be allowed if it has %s", async (_name, text) => {
    await writeFile(at("project/Dockerfile"), text);
    expect(await content("Dockerfile")).toEqual(["dockerfile_unreadable"]);
    expect(await allowDockerfile(where("Dockerfile"), hashOf(text))).toMatchObject({ ok: false });
    // If the agent cannot write it, it is the user's own.
    await writeFile(at("home/Dockerfile"), text);
    expect(await content(at("home/Dockerfile"))).toEqual([text, undefined]);
  });

  it("is refused if it is not valid UTF-8", async () => {
    await writeFile(at("project/Dockerfile"), Buffer.from([0x46, 0xff, 0x0a]));
    expect(await content("Dockerfile")).toEqual(["dockerfile_unreadable"]);
  });

  it("must be allowed if a link on its path lies in the project, wherever that leads now", async () => {
    await writeFile(at("home/clean"), MINE);
    await symlink(at("home/clean"), at("project/x"));
    await symlink(at("project/x"), at("home/Dockerfile"));
    expect(await content(at("home/Dockerfile"))).toEqual(["dockerfile_unknown"]);
  });

  it("is refused with the reason if it is not a file", async () => {
    expect(await content("absent")).toEqual(["dockerfile_unreadable"]);
    expect(await content(at("home"))).toEqual(["dockerfile_unreadable"]);
    execFileSync("mkfifo", [at("project/pipe")]);
    expect(await content("pipe")).toEqual(["dockerfile_unreadable"]);
    await writeFile(at("home/large"), "#".repeat(300_000));
    expect(await content(at("home/large"))).toEqual(["dockerfile_unreadable"]);
  });
});
