import { chmod, mkdir, mkdtemp, realpath, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { describe, expect, it, onTestFinished } from "vitest";
import { itUnlessRoot } from "../../test/support/root.ts";
import { describeEnd, type SandboxEnd, whyLost } from "./container-watch.ts";

async function project(): Promise<string> {
  const base = await realpath(await mkdtemp(join(tmpdir(), "codex-chat-life-")));
  onTestFinished(() => rm(base, { recursive: true }));
  const root = join(base, "project");
  await mkdir(join(root, "closed"), { recursive: true });
  await writeFile(join(root, "closed/.envrc"), "");
  return root;
}

describe("the message that a protected file was replaced", () => {
  it("is about the project if that is gone or renamed, and about the file if only that was replaced", async () => {
    const root = await project();
    expect(await whyLost(root, "closed/.envrc")).toEqual({
      reason: "protection_lost",
      name: "closed/.envrc",
    });
    await rename(root, `${root}-new`);
    const end = await whyLost(root, ".envrc");
    expect(end).toEqual({ reason: "project_gone", root });
    // The command that is named puts it back.
    const command = /\((mv NEW-NAME [^)]*)\)/.exec(describeEnd(end).fix)?.[1] ?? "false";
    await execa("sh", ["-c", command.replace("NEW-NAME", `${root}-new`)]);
    expect((await whyLost(root, "closed/.envrc")).reason).toBe("protection_lost");
  });

  it("is the project's if another directory has its place", async () => {
    expect(await whyLost("/gone", ".")).toEqual({ reason: "project_gone", root: "/gone" });
    const root = await project();
    expect(await whyLost(root, ".")).toEqual({ reason: "project_replaced", root });
  });

  itUnlessRoot(
    "is the directory's if that was closed, with the command that opens it",
    async () => {
      const root = await project();
      await chmod(join(root, "closed"), 0o000);
      const end = await whyLost(root, "closed/.envrc");
      expect(end.reason).toBe("protection_unknown");
      const { message, fix } = describeEnd(end);
      expect(message).toContain("cannot be accessed (EACCES)");
      await execa("sh", ["-c", /chmod u\+rwx \S+/.exec(fix)?.[0] ?? "false"]);
      expect((await whyLost(root, "closed/.envrc")).reason).toBe("protection_lost");
    },
  );
});

describe("describeEnd", () => {
  it.each<[SandboxEnd, string]>([
    [{ reason: "exited", exitCode: 0 }, "no relay was connected"],
    [{ reason: "exited", exitCode: 137 }, "killed or removed"],
    [{ reason: "exited", exitCode: 3 }, "exit code 3"],
    [{ reason: "exited", exitCode: null }, "The sandbox ended."],
    [{ reason: "protection_lost", name: ".envrc" }, ".envrc was replaced on this machine"],
    [{ reason: "project_gone", root: "/work" }, "/work was removed or renamed"],
    [{ reason: "project_replaced", root: "/work" }, "/work was replaced by another directory"],
    [{ reason: "protection_unknown", why: "/work is closed", fix: "" }, "because /work is closed"],
    [{ reason: "out_of_memory" }, "ran out of memory"],
    [{ reason: "engine_lost" }, "connection to the container engine broke"],
    [{ reason: "released" }, "was stopped"],
  ])("describes the end %o", (end, says) => {
    const { message, fix } = describeEnd(end);
    expect(message).toContain(says);
    expect(fix).toMatch(/send again/i);
  });
});
