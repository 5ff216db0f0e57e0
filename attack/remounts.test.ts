/**
 * Remounts: to write to what is mounted read-only, from a user namespace in which the attacker is
 * root. The control is the same container under gVisor with directfs, or without the read-only mount.
 */

import { readdirSync, readFileSync, statSync } from "node:fs";
import { mkdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { hasDirectfs } from "../scripts/setup/engine/index.ts";
import { areMounted } from "../src/sandbox/guard/mount-check.ts";
import { fileIdentity } from "../src/sandbox/guard/mount-guard.ts";
import { type Attempt, attempt, group, type Verdict, verdict } from "./catalogue.ts";
import { directfs, engine, type Inside, weakened } from "./support/containers.ts";
import { guarded, teamRepository } from "./support/git-places.ts";
import { freshDir } from "./support/places.ts";

/** A tree whose `.husky` is to be read only: hooks that the user's git runs. */
type Target = { readonly inside: Inside; readonly root: string };

const product = guarded(teamRepository);

/** A tree like a project's, for a container of its own. */
async function tree(): Promise<string> {
  const root = join(await freshDir("tree"), "project");
  await mkdir(join(root, ".husky", "hooks"), { recursive: true });
  await writeFile(join(root, ".husky", "config"), "[core]\n");
  return root;
}

/** gVisor with directfs: the mount is read-only until somebody remounts it. */
async function withDirectfs(): Promise<Target> {
  const root = await tree();
  const start = await directfs();
  return {
    root,
    inside: await start({
      weaken: (options) => options,
      mounts: [root],
      readOnly: [join(root, ".husky")],
    }),
  };
}

/** gVisor as the product has it, where nobody made the mount read-only. */
async function withoutReadOnly(): Promise<Target> {
  const root = await tree();
  return {
    root,
    inside: await weakened({ weaken: (options) => options, mounts: [root, join(root, ".husky")] }),
  };
}

/** Writes wherever the directory can be had: `harm DIR` tries to leave a trace in DIR. */
const TOOLS = `harm() { echo x > "$1/hooks/harm"; echo x >> "$1/config"; }
dir="$PWD/.husky"; export dir
as_root() { unshare -Urm sh -c 'harm() { echo x > "$1/hooks/harm"; echo x >> "$1/config"; }
'"$1"; }
`;

/** Whether the real directory was changed, as the host sees it. */
function isHarmed(root: string, inode: number): string | undefined {
  if (statSync(join(root, ".husky")).ino !== inode) return "it is another directory";
  if (readdirSync(join(root, ".husky", "hooks")).includes("harm")) return "a hook was written";
  const config = readFileSync(join(root, ".husky", "config"), "utf8");
  return config.endsWith("x\n") ? "the configuration was changed" : undefined;
}

function staysReadOnly(
  name: string,
  tries: string,
  script: string,
  control: () => Promise<Target> = withoutReadOnly,
): Attempt {
  return attempt<Target>({
    name,
    tries,
    mustHappen: "the host's directory stays as it was",
    strike: async ({ inside, root }) => {
      const inode = statSync(join(root, ".husky")).ino;
      await inside.sh(TOOLS + script, { cwd: root });
      const harm = isHarmed(root, inode);
      return verdict(harm !== undefined, harm ?? "the directory is unchanged on the host");
    },
    product,
    control,
    isPossible: control !== withDirectfs || hasDirectfs(),
  });
}

/** The kernel's word for whether a mount is there, or the host's alone for what stands in its place. */
type Judge = (inside: Inside, path: string, before: string | undefined) => Promise<boolean>;

/** Renames a protected directory for the moment of a look at its path, and back. */
async function awayForAMoment(judge: Judge): Promise<Verdict> {
  const root = await tree();
  const path = join(root, ".husky");
  const inside = await weakened({ weaken: (options) => options, mounts: [root], readOnly: [path] });
  const before = await fileIdentity(path);
  await rename(path, `${path}2`);
  await inside.sh("ls .husky", { cwd: root });
  await rename(`${path}2`, path);
  const isNoticed = await judge(inside, path, before);
  const inode = statSync(path).ino;
  await inside.sh(`${TOOLS}harm "$dir"`, { cwd: root });
  const harm = isHarmed(root, inode);
  const isEnded = isNoticed ? ", but the sandbox would have been ended" : "";
  return verdict(harm !== undefined && !isNoticed, `${harm ?? "it is unchanged"}${isEnded}`);
}

group("remounts", [
  staysReadOnly(
    "remount",
    "remounts a protected directory writable as root of a user namespace",
    `as_root 'mount -o remount,rw "$dir"; harm "$dir"'`,
    withDirectfs,
  ),
  staysReadOnly(
    "bind remount",
    "remounts a protected directory as a writable bind mount",
    `as_root 'mount -o remount,bind,rw "$dir"; harm "$dir"'`,
    withDirectfs,
  ),
  staysReadOnly(
    "bind elsewhere",
    "binds it to /tmp and remounts that",
    `as_root 'mkdir -p /tmp/g; mount --bind "$dir" /tmp/g; mount -o remount,bind,rw /tmp/g; mount -o remount,rw /tmp/g; harm /tmp/g'`,
    withDirectfs,
  ),
  staysReadOnly(
    "nested user namespaces",
    "remounts from a user namespace within a user namespace",
    `as_root 'unshare -Urm sh -c "mount -o remount,rw \\"\\$dir\\"; echo x > \\"\\$dir/hooks/harm\\""'`,
    withDirectfs,
  ),
  staysReadOnly(
    "mount_setattr",
    "clears the read-only attribute with mount_setattr, and with move_mount of a cloned tree",
    `as_root '
      perl -e "my \\$p = \\$ENV{dir}; my \\$a = pack(q(Q4), 0, 1, 0, 0); syscall(442, -100, \\$p, 0, \\$a, 32)"
      perl -e "my (\\$p, \\$to) = (\\$ENV{dir}, q(/tmp)); my \\$fd = syscall(428, -100, \\$p, 1); my \\$e = q(); syscall(429, \\$fd, \\$e, -100, \\$to, 4)"
      harm "$dir"; harm /tmp'`,
  ),
  staysReadOnly(
    "unmount",
    "unmounts it, plainly and lazily, to reach what lies under it",
    `as_root 'umount "$dir"; harm "$dir"; umount -l "$dir"; harm "$dir"; umount -l "$PWD"; harm "$dir"'`,
  ),
  staysReadOnly(
    "move",
    "moves the mount away and writes to what was under it",
    `as_root 'mkdir -p /tmp/m; mount --move "$dir" /tmp/m; harm "$dir"; harm /tmp/m'`,
  ),
  staysReadOnly(
    "recursive bind",
    "binds the whole project elsewhere and unmounts it there",
    `as_root 'mkdir -p /tmp/r /tmp/b; mount --rbind "$PWD" /tmp/r; umount -l /tmp/r/.husky; harm /tmp/r/.husky; mount --bind "$PWD" /tmp/b; harm /tmp/b/.husky'`,
  ),
  staysReadOnly(
    "chroot and pivot_root",
    "makes the project its root directory and writes there",
    `as_root 'mkdir -p /tmp/c; mount --rbind / /tmp/c; chroot /tmp/c sh -c "umount -l \\"\\$dir\\"; echo x > \\"\\$dir/hooks/harm\\""
       mount --rbind "$PWD" "$PWD"; cd "$PWD"; mkdir -p old; pivot_root . old; harm /.husky'`,
  ),
  staysReadOnly(
    "overlay",
    "mounts an overlay with the directory as its upper layer",
    `as_root 'mkdir -p /tmp/w /tmp/l/hooks /tmp/o; mount -t overlay overlay -o lowerdir=/tmp/l,upperdir="$dir",workdir=/tmp/w /tmp/o; harm /tmp/o; harm "$dir"'`,
  ),
  staysReadOnly(
    "other processes' roots",
    "writes through /proc/1/root, /proc/self/root, cwd and open directories of other processes",
    `for at in /proc/[0-9]*/root; do harm "$at$dir"; done; for at in /proc/[0-9]*/cwd; do harm "$at/.husky"; done
     as_root 'harm "/proc/1/root$dir"; nsenter -t 1 -m sh -c "umount -l \\"\\$dir\\"; echo x > \\"\\$dir/hooks/harm\\""'`,
  ),
  staysReadOnly(
    "rename around the mount",
    "renames the project, the directory and what is in it",
    `mv "$PWD" "$PWD-2"; mv .husky .husky2; mv .husky/hooks .husky/hooks2; mkdir -p .husky/hooks; harm "$dir"; rm -rf .husky/config`,
  ),
  {
    name: "away for a moment",
    tries: "looks the path up while the user renames the directory away and back, and writes to it",
    mustHappen: "the loss of the mount is noticed",
    run: () =>
      awayForAMoment(async ({ id }, path) => {
        const container = (await engine()).docker.getContainer(id);
        return (await areMounted(container, [path], process.getuid?.() ?? 0)) === "lost";
      }),
    control: () =>
      awayForAMoment(async (_inside, path, before) => (await fileIdentity(path)) !== before),
  },
]);
