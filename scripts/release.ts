/**
 * `npm run release -- [--out DIR] [--tag vX.Y.Z]`: writes the plugin as it is installed, with its host
 * built and without packages, and a tarball of it with its hash. docs/releasing.md says when.
 */
import { createHash } from "node:crypto";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { execa } from "execa";
import { versionOf, writeRelease } from "./release/tree.ts";
import { checkout, toStderr } from "./setup/index.ts";

const { values } = parseArgs({
  options: { out: { type: "string", default: "dist/release" }, tag: { type: "string" } },
});

const version = await versionOf(checkout);
const problem = await problemWith(values.tag);
if (problem !== undefined) {
  toStderr(problem);
  process.exit(1);
}
const out = resolve(values.out);
const tree = join(out, "codex-chat.nvim");
await rm(tree, { recursive: true, force: true });
await mkdir(out, { recursive: true });
await writeRelease(checkout, tree);
const tarball = `codex-chat.nvim-${version}.tar.gz`;
await execa(
  "tar",
  ["--sort=name", "--owner=0", "--group=0", "--numeric-owner", "-czf", tarball, "codex-chat.nvim"],
  { cwd: out },
);
const hash = createHash("sha256")
  .update(await readFile(join(out, tarball)))
  .digest("hex");
await writeFile(join(out, `${tarball}.sha256`), `${hash}  ${tarball}\n`);
console.log(`${tree}\n${join(out, tarball)}\nsha256 ${hash}`);

/** A tag is for the version that the package and the changelog name. */
async function problemWith(tag: string | undefined): Promise<string | undefined> {
  if (tag === undefined) return undefined;
  if (tag !== `v${version}`)
    return `the tag is ${tag}, and package.json has version ${version}: npm version ${tag.slice(1)} --no-git-tag-version`;
  const changelog = await readFile(join(checkout, "CHANGELOG.md"), "utf8");
  if (!changelog.includes(`\n## ${version} `))
    return `CHANGELOG.md has no section "## ${version} - DATE": rename "## Unreleased" to that`;
  return undefined;
}
