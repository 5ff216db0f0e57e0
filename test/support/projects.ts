/** Projects for the tests of what is protected in them. */

import { mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { beforeEach, expect, onTestFinished, vi } from "vitest";
import {
  inspectProject,
  type ProjectMountsOptions,
} from "../../src/sandbox/mounts/project-mounts.ts";

/** A directory, removed after the test. */
export async function scratch(): Promise<string> {
  const dir = await realpath(await mkdtemp(join(tmpdir(), "codex chat prøject-")));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  return dir;
}

/** Judges a project that must not be refused. */
export async function inspect(root: string, more: Partial<ProjectMountsOptions> = {}) {
  const result = await inspectProject({ root, home: "/home/someone", outOfReach: [], ...more });
  if (!result.ok) throw new Error(result.error.message);
  return result.value;
}

/** The message with which a project is refused. */
export async function refusal(
  root: string,
  more: Partial<ProjectMountsOptions> = {},
): Promise<string> {
  const result = await inspectProject({ root, home: "/home/someone", outOfReach: [], ...more });
  if (result.ok) throw new Error(`accepted ${root}`);
  expect(result.error.kind).toBe("project_refused");
  return result.error.message;
}

/** Nothing of this machine's own configuration. */
export function withoutConfiguration(): void {
  beforeEach(() => {
    vi.stubEnv("HOME", "/nonexistent");
    vi.stubEnv("XDG_CONFIG_HOME", "");
    vi.stubEnv("GIT_CONFIG_SYSTEM", "/dev/null");
    for (const name of ["EDITOR", "VISUAL", "PAGER"]) vi.stubEnv(name, undefined);
  });
}

/** Runs git as the user. */
export async function git(cwd: string, ...args: string[]): Promise<void> {
  const identity = [
    "-c",
    "user.name=t",
    "-c",
    "user.email=t@t",
    "-c",
    "protocol.file.allow=always",
  ];
  await execa("git", [...identity, ...args], { cwd });
}
