import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { takeLock } from "../../src/sandbox/lock.ts";
import { cacheDir } from "./paths.ts";

/** Packages of one Debian suite, to be unpacked into one private directory. */
export type DebianPackages = {
  /** The directory's name in the cache. */
  readonly name: string;
  /** A suite's codename, such as `trixie`. */
  readonly suite: string;
  readonly packages: readonly string[];
  /** Packages to leave out of the closure, such as `libc6` where the machine's own serves. */
  readonly without?: readonly string[];
};

/** Debian's archive keys; bookworm's package of them already holds those of the next releases. */
const KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg";

/**
 * Unpacks packages and all that they depend on into `.cache/debs/<name>` and returns that path.
 *
 * Nothing is installed: apt works on directories of its own and an empty package database, so the
 * whole closure down to libc comes along, and no maintainer script runs. A directory that exists is
 * complete, because it is renamed into place last.
 */
export async function unpackDebian(wanted: DebianPackages): Promise<string> {
  const root = join(cacheDir, "debs", wanted.name);
  const label = JSON.stringify([wanted.suite, wanted.packages, wanted.without ?? []]);
  if (await holds(root, label)) return root;
  using _lock = await takeLock(`apt ${cacheDir}`);
  if (await holds(root, label)) return root;

  await mkdir(join(cacheDir, "debs"), { recursive: true });
  const work = await mkdtemp(join(cacheDir, "debs", ".work-"));
  try {
    const archives = join(work, "archives");
    await downloadClosure(wanted, archives);
    const files = (await readdir(archives)).filter((file) => file.endsWith(".deb"));
    const unpacked = join(work, "root");
    await mkdir(unpacked);
    for (const file of files) {
      // A package's file is named `<package>_<version>_<architecture>.deb`.
      if (wanted.without?.includes(file.slice(0, file.indexOf("_")))) continue;
      await execa("dpkg-deb", ["-x", join(archives, file), unpacked]);
    }
    await writeFile(join(unpacked, ".packages"), label);
    await rm(root, { recursive: true, force: true });
    await rename(unpacked, root);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return root;
}

async function holds(root: string, label: string): Promise<boolean> {
  const file = join(root, ".packages");
  return existsSync(file) && (await readFile(file, "utf8")) === label;
}

async function downloadClosure(wanted: DebianPackages, archives: string): Promise<void> {
  const dir = join(cacheDir, "apt", wanted.suite);
  await mkdir(join(dir, "lists", "partial"), { recursive: true });
  await mkdir(join(archives, "partial"), { recursive: true });
  const sources = join(dir, "sources.list");
  await writeFile(sources, await sourceLine(wanted.suite));
  const nothingInstalled = join(dir, "status");
  await writeFile(nothingInstalled, "");
  const config = join(dir, "apt.conf");
  const settings = {
    "Dir::State::lists": join(dir, "lists"),
    "Dir::State::status": nothingInstalled,
    "Dir::State::extended_states": join(dir, "extended"),
    "Dir::Cache": dir,
    "Dir::Cache::archives": archives,
    "Dir::Etc::sourcelist": sources,
    "Dir::Etc::sourceparts": "/dev/null",
    "Dir::Etc::preferences": "/dev/null",
    "Dir::Etc::preferencesparts": "/dev/null",
    "APT::Install-Recommends": "false",
    // Root's own directory may not be readable by the user that apt would switch to.
    "APT::Sandbox::User": "root",
    "Acquire::Languages": "none",
    "Acquire::Retries": "3",
  };
  await writeFile(
    config,
    Object.entries(settings)
      .map(([key, value]) => `${key} "${value}";\n`)
      .join(""),
  );
  const env = { APT_CONFIG: config, DEBIAN_FRONTEND: "noninteractive", LC_ALL: "C" };
  await execa("apt-get", ["-qq", "update"], { env });
  await execa("apt-get", ["-qq", "-y", "--download-only", "install", ...wanted.packages], { env });
}

/** One line of apt's sources for a suite, from the mirror that this machine itself uses. */
export async function sourceLine(suite: string): Promise<string> {
  const signedBy = existsSync(KEYRING) ? `[signed-by=${KEYRING}] ` : "";
  return `deb ${signedBy}${await debianMirror()} ${suite} main\n`;
}

/** The mirror of this machine's own Debian suite, as apt is configured. */
export async function debianMirror(): Promise<string> {
  const { stdout } = await execa("apt-get", [
    "indextargets",
    "--format",
    "$(RELEASE) $(SITE)",
    "Created-By: Packages",
  ]);
  const mirror = mirrorOf(stdout, (await debianRelease())?.codename ?? "");
  if (mirror !== undefined) return mirror;
  throw new Error(
    "apt has no source for this machine's own Debian suite; see /etc/apt/sources.list.d",
  );
}

/** Picks the site of the suite `codename` from lines of `<suite> <site>`. */
export function mirrorOf(targets: string, codename: string): string | undefined {
  const rows = targets.split("\n").map((line) => line.split(" "));
  const own = rows.find(
    ([suite]) => suite === codename || suite === "stable" || suite === "testing",
  );
  return own?.[1];
}

/** The Debian release that this machine runs; undefined where it is another system. */
export async function debianRelease(): Promise<{ readonly codename: string } | undefined> {
  try {
    return releaseOf(await readFile("/etc/os-release", "utf8"));
  } catch {
    return undefined;
  }
}

/** Reads the text of `/etc/os-release`; undefined where it is not Debian itself. */
export function releaseOf(text: string): { readonly codename: string } | undefined {
  const field = (name: string) => new RegExp(`^${name}="?([^"\\n]*)"?$`, "m").exec(text)?.[1];
  const codename = field("VERSION_CODENAME");
  return field("ID") === "debian" && codename !== undefined ? { codename } : undefined;
}
