/** The files of a release: what Neovim and Node run, built, without sources and packages. */
import { cp, mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import * as z from "zod";

/** Copied as they are; `doc/` has its tags since the build. */
const PARTS = ["plugin", "lua", "doc", "container", "docs"];
const FILES = [
  ...["LICENSE", "README.md", "CHANGELOG.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md"],
  ...[".npmrc", "bench/results.md"],
];
/** The only packages that an installed plugin needs: their files go into the sandbox's image. */
const PACKAGES = ["@openai/codex", "npm"];

const Manifest = z.looseObject({
  version: z.string(),
  dependencies: z.record(z.string(), z.string()),
});
const Lock = z.looseObject({
  packages: z.record(z.string(), z.looseObject({})),
});
/** Of the record that the build leaves (`scripts/build.mjs`). */
const Stamp = z.object({ outputs: z.array(z.string()) });

/** The version in `package.json`. */
export async function versionOf(root: string): Promise<string> {
  return Manifest.parse(await readJson(join(root, "package.json"))).version;
}

/**
 * Writes the release of a built checkout into `out`, which must not exist. `npm ci` there fetches the
 * packages for the image, and nothing else.
 */
export async function writeRelease(root: string, out: string): Promise<void> {
  await mkdir(out);
  for (const name of [...PARTS, ...FILES])
    await cp(join(root, name), join(out, name), { recursive: true });
  for (const path of await hostFiles(root)) {
    await mkdir(dirname(join(out, path)), { recursive: true });
    await cp(join(root, path), join(out, path));
  }
  // So that the host can fetch the packages where no npm is installed.
  const npm = join(root, "node_modules/npm");
  await cp(npm, join(out, "dist/npm"), {
    recursive: true,
    filter: (path) => !["docs", "man", "node_modules/.bin"].includes(relative(npm, path)),
  });
  const manifest = Manifest.parse(await readJson(join(root, "package.json")));
  const { scripts: _, devDependencies: __, dependencies, ...rest } = manifest;
  const kept = pick(dependencies, (name) => PACKAGES.includes(name));
  await writeJson(join(out, "package.json"), { ...rest, dependencies: kept });
  await writeJson(join(out, "package-lock.json"), await lockOf(root, kept));
  // The packages are fetched into a clone of the branch that has these files.
  await writeFile(join(out, ".gitignore"), "/node_modules/\n");
}

/** The files of the last build's host; `dist/host/` may still have those of earlier ones. */
async function hostFiles(root: string): Promise<string[]> {
  const { outputs } = Stamp.parse(await readJson(join(root, "dist/.stamp.json")));
  return outputs.filter((path) => path === "dist/host.mjs" || path.startsWith("dist/host/"));
}

/** The lock file's part about the packages, with the same versions and hashes. */
async function lockOf(root: string, dependencies: Record<string, string>): Promise<object> {
  const lock = Lock.parse(await readJson(join(root, "package-lock.json")));
  const { "": self = {}, ...packages } = lock.packages;
  const { devDependencies: _, ...own } = self;
  const kept = pick(packages, (path) =>
    PACKAGES.some((name) =>
      new RegExp(`^node_modules/${name}(?:$|/|-(?:linux|darwin|win32)-)`).test(path),
    ),
  );
  return { ...lock, packages: { "": { ...own, dependencies }, ...kept } };
}

function pick<T>(all: Readonly<Record<string, T>>, wants: (name: string) => boolean) {
  return Object.fromEntries(Object.entries(all).filter(([name]) => wants(name)));
}

async function readJson(path: string): Promise<unknown> {
  return JSON.parse(await readFile(path, "utf8"));
}

async function writeJson(path: string, value: object): Promise<void> {
  await writeFile(path, `${JSON.stringify(value, null, 2)}\n`);
}
