/**
 * Fetches Debian packages of any release into a directory of their own. The system's apt and dpkg
 * state is neither read nor changed: only its choice of mirror, keys and proxies is used.
 */

import { mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { takeLock } from "../../../src/sandbox/locks/machine-lock.ts";
import { cached } from "../cached.ts";
import { run } from "../command.ts";
import { cacheDir, lockDir } from "../paths.ts";
import { debianMachine } from "./machine.ts";
import { formatSource } from "./sources.ts";

/** What to fetch. */
export type DebianPackages = {
  /** A release's codename, such as `trixie` or `bookworm-backports`. */
  readonly suite: string;
  readonly packages: readonly string[];
  /** Packages that the machine has; neither they nor their own dependencies are fetched. */
  readonly present?: readonly string[];
};

/** Unpacks packages into `.cache/debs/<name>` unless they are there, and returns that path. */
export async function unpackDebian(name: string, wanted: DebianPackages): Promise<string> {
  const dir = join(cacheDir, "debs", name);
  return await cached(dir, JSON.stringify(wanted), (partial) => extractDebs(partial, wanted));
}

/**
 * Extracts the packages and all their dependencies into `root`; no maintainer script runs. Fails with
 * kind `network` if apt cannot fetch.
 */
export async function extractDebs(
  root: string,
  { suite, packages, present = [] }: DebianPackages,
): Promise<void> {
  using _lock = await takeLock({ dir: lockDir, name: `apt ${cacheDir} ${suite}` });
  const apt = await openApt(suite);
  await writeFile(apt.status, installedStatus(present));
  const debs = join(root, ".debs");
  await mkdir(join(debs, "partial"), { recursive: true });
  const options = ["-y", "-qq", "--download-only", "-o", `Dir::Cache::archives=${debs}/`];
  await run("apt-get", [...options, "install", ...packages], { env: apt.env, kind: "network" });
  for (const file of await readdir(debs)) {
    if (file.endsWith(".deb")) await run("dpkg-deb", ["--extract", join(debs, file), root]);
  }
  await rm(debs, { recursive: true });
}

/** The version of a package in a suite; undefined if the suite does not have it. */
export async function candidateVersion(suite: string, name: string): Promise<string | undefined> {
  using _lock = await takeLock({ dir: lockDir, name: `apt ${cacheDir} ${suite}` });
  const apt = await openApt(suite);
  const policy = await run("apt-cache", ["policy", name], { env: apt.env });
  const version = /^ *Candidate: (\S+)$/m.exec(policy)?.[1];
  return version === "(none)" ? undefined : version;
}

/** The machine's proxies, certificates and the like; not its hooks, which run programs. */
export async function machineAcquireOptions(): Promise<readonly string[]> {
  const dump = await run("apt-config", ["dump"]);
  return dump
    .split("\n")
    .filter((line) => /^Acquire::(https?|Check-|ForceIPv)\S* ".+";$/i.test(line));
}

/** Suites whose lists this process has read: once is enough. */
const updated = new Set<string>();

async function openApt(suite: string) {
  const { mirror } = await debianMachine();
  const dir = join(cacheDir, "apt", suite);
  const apt = {
    status: join(dir, "status"),
    env: { APT_CONFIG: join(dir, "apt.conf"), DEBIAN_FRONTEND: "noninteractive" },
  };
  if (updated.has(suite)) return apt;
  await mkdir(join(dir, "state", "lists", "partial"), { recursive: true });
  await mkdir(join(dir, "sources"), { recursive: true });
  await writeFile(join(dir, "sources", "debian.sources"), formatSource(mirror, [suite]));
  await writeFile(join(dir, "apt.conf"), aptConfig(dir, await machineAcquireOptions()));
  await writeFile(apt.status, "");
  await run("apt-get", ["-qq", "update"], { env: apt.env, kind: "network" });
  updated.add(suite);
  return apt;
}

/** APT_CONFIG is read before /etc/apt/apt.conf.d, so it can turn that off, hooks and all. */
function aptConfig(dir: string, acquire: readonly string[]): string {
  const settings = {
    "Dir::Etc::main": "/dev/null",
    "Dir::Etc::parts": "/dev/null",
    "Dir::Etc::sourcelist": "/dev/null",
    "Dir::Etc::sourceparts": `${dir}/sources/`,
    "Dir::Etc::preferences": "/dev/null",
    "Dir::Etc::preferencesparts": "/dev/null",
    "Dir::State": `${dir}/state`,
    "Dir::State::status": `${dir}/status`,
    "Dir::Cache": dir,
    "Dir::Cache::pkgcache": "",
    "Dir::Cache::srcpkgcache": "",
    "Acquire::Languages": "none",
    "Acquire::GzipIndexes": "true",
    "Acquire::Retries": "3",
    "APT::Install-Recommends": "false",
    // The cache may lie where root can go, but not the user that apt would switch to.
    "APT::Sandbox::User": "root",
  };
  const own = Object.entries(settings).map(([key, value]) => `${key} "${value}";`);
  return `${[...acquire, ...own].join("\n")}\n`;
}

/** A dpkg status in which just these packages are installed, in a version that satisfies all. */
function installedStatus(names: readonly string[]): string {
  const architecture = process.arch === "arm64" ? "arm64" : "amd64";
  const fields = ["Status: install ok installed", "Version: 1:99", "Multi-Arch: allowed"];
  const rest = [...fields, `Architecture: ${architecture}`, "Maintainer: none"];
  return names.map((name) => `${[`Package: ${name}`, ...rest].join("\n")}\n\n`).join("");
}
