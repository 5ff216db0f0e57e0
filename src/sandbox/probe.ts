import type { SelfTestPart } from "./error.ts";

/** Names in the probe's tree, which is mounted writable with the guarded ones read-only on top. */
export const PROBE = {
  guardedDir: "guarded",
  guardedFile: "guarded-file",
  canary: "canary",
  /** Written inside as a control: it proves that the container saw this very tree. */
  control: "control",
  moved: "moved",
} as const;

/** Programs without which an attack could not be tried, and nothing would be proven. */
const TOOLS = ["unshare", "mount", "umount", "mv", "dmesg", "ln", "sh"];

/**
 * The program that runs inside: tells what it sees, then attacks the guarded mounts in every way
 * that an agent's command could, as the same user and without capabilities. It needs no success
 * of its own: whether an attack worked is judged on the host.
 *
 * `$1` is the tree, `$2` the control's content, `$3…` paths that must not exist inside.
 */
export const PROBE_SCRIPT = `
tree=$1 control=$2; shift 2
for tool in ${TOOLS.join(" ")}; do command -v $tool >/dev/null || echo "missing=$tool"; done
echo "release=$(uname -r)"
dmesg 2>/dev/null | grep -qi gvisor && echo "dmesg=gvisor"
echo "devices=$(sed -n 's/^ *\\([^:|]*\\):.*/\\1/p' /proc/net/dev | tr '\\n' ' ')"
[ -r /proc/net/dev ] || echo "unread=/proc/net/dev"
for path in "$@"; do [ -e "$path" ] && echo "socket=$path"; done
echo "canary=$(cat "$tree/${PROBE.guardedDir}/${PROBE.canary}")"
printf %s "$control" > "$tree/${PROBE.control}" || echo "control=unwritten"
cd "$tree" || exit 1

try() { name=$1; shift; "$@" >/dev/null 2>&1 </dev/null; echo "tried=$name:$?"; }
# The attacks' own shells get the tree as a variable, because its path has a space in it. Each
# leaves a file in the guarded directory or changes the guarded file where it gets the chance.
export tree dir=${PROBE.guardedDir} file=${PROBE.guardedFile}
harm='harm() { echo x > "$1/$dir/harm"; echo x > "$1/$file"; rm -rf "$1/$dir/${PROBE.canary}"; [ -e "$1/$dir/harm" ]; }; '
both='both() { "$@" "$tree/$dir"; "$@" "$tree/$file"; }; '
as_user() { name=$1; shift; try "$name" sh -c "$harm$both$*"; }
as_root() { name=$1; shift; try "$name" unshare -Urm sh -c "$harm$both$*"; }

as_user direct 'harm .'
as_user rename 'mv "$dir" ${PROBE.moved}'
as_user rename-file 'mv "$file" ${PROBE.moved}-file'
as_user rename-over 'echo x > other && mv other "$file"'
as_user remove 'rm -rf "$dir" "$file"'
as_user link 'ln "$file" linked && echo x > linked'
as_root remount 'both mount -o remount,rw; harm .'
as_root remount-bind 'both mount -o remount,bind,rw; harm .'
as_root unmount 'both umount; harm "$tree"; mv "$dir" ${PROBE.moved}'
as_root unmount-lazy 'both umount -l; harm "$tree"'
as_root unmount-tree 'umount -l "$tree"; harm "$tree"'
as_root bind 'mkdir -p /tmp/b; mount --bind "$tree" /tmp/b; harm /tmp/b'
as_root rbind 'mkdir -p /tmp/r; mount --rbind "$tree" /tmp/r; umount -l "/tmp/r/$dir"; umount -l "/tmp/r/$file"; harm /tmp/r'
as_root bind-guarded 'mkdir -p /tmp/g; mount --bind "$tree/$dir" /tmp/g; mount -o remount,rw /tmp/g; mount -o remount,bind,rw /tmp/g; echo x > /tmp/g/harm'
as_root move 'mkdir -p /tmp/m; mount --move "$tree/$dir" /tmp/m; harm "$tree"'
as_root root-bind 'mkdir -p /tmp/s; mount --bind / /tmp/s; harm "/tmp/s$tree"'
as_root chroot 'mkdir -p /tmp/c; mount --rbind / /tmp/c; chroot /tmp/c sh -c "umount -l \\"\\$tree/\\$dir\\"; echo x > \\"\\$tree/\\$dir/harm\\""'
as_root proc-root 'harm "/proc/1/root$tree"; harm "/proc/self/root$tree"'
as_root nested 'unshare -Urm sh -c "umount -l \\"\\$tree/\\$dir\\"; mount -o remount,rw \\"\\$tree/\\$dir\\"; echo x > \\"\\$tree/\\$dir/harm\\""'
as_root mknod 'mknod "$tree/device" b 8 0; mknod "$tree/$dir/device" b 8 0'
echo "done=1"
`;

/** What the probe said, parsed; unknown lines are passed over. */
export type ProbeFacts = {
  readonly missing: readonly string[];
  readonly release: string;
  readonly dmesgGvisor: boolean;
  readonly devices: readonly string[];
  readonly sockets: readonly string[];
  readonly canary: string;
  /** Attacks that were tried, with their exit codes: for the report, not for the judgement. */
  readonly tried: readonly string[];
  readonly done: boolean;
};

/** Reads the probe's lines of `key=value`. */
export function parseProbe(output: string): ProbeFacts {
  const lines = output.split("\n").map((line) => {
    const at = line.indexOf("=");
    return { key: line.slice(0, Math.max(0, at)), value: line.slice(at + 1) };
  });
  const all = (key: string) => lines.flatMap((line) => (line.key === key ? [line.value] : []));
  const [devices = ""] = all("devices");
  return {
    missing: [...all("missing"), ...all("unread")],
    release: all("release")[0] ?? "",
    dmesgGvisor: all("dmesg").includes("gvisor"),
    devices: devices.split(" ").filter((it) => it !== ""),
    sockets: all("socket"),
    canary: all("canary")[0] ?? "",
    tried: all("tried"),
    done: all("done").includes("1"),
  };
}

/** What the host found in the tree after the probe had run. */
export type HostFindings = {
  /** Changes under guarded names, in words; empty where nothing changed. */
  readonly harm: readonly string[];
  readonly control: { readonly content: string; readonly uid: number; readonly gid: number } | null;
};

/** A part that did not hold, in words for `detail`. */
export type ProbeFailure = { readonly part: SelfTestPart; readonly detail: string };

/** What was expected of the probe. */
export type ProbeExpectation = {
  readonly hostKernel: string;
  readonly canary: string;
  readonly control: string;
  readonly uid: number;
  readonly gid: number;
  /** The user named a runtime that is no gVisor. */
  readonly acceptWeaker: boolean;
};

/** Judges the probe: the first part that did not hold or was not shown, null where all held. */
export function judgeProbe(
  facts: ProbeFacts,
  host: HostFindings,
  expected: ProbeExpectation,
): ProbeFailure | null {
  // Harm first: it is the gravest, and stands even where the probe broke off after it.
  if (host.harm.length > 0) return { part: "read_only", detail: host.harm.join("; ") };
  if (!facts.done) return { part: "start", detail: "the probe did not run to its end" };
  if (facts.missing.length > 0) {
    const detail = `the image lacks ${facts.missing.join(", ")}, so the attacks could not be tried`;
    return { part: "read_only", detail };
  }
  if (facts.canary !== expected.canary || host.control?.content !== expected.control) {
    return { part: "read_only", detail: "the container did not see the mounted directories" };
  }
  if (!expected.acceptWeaker && !isGvisor(facts, expected.hostKernel)) {
    const detail = `its kernel says ${facts.release || "nothing"} (the host's: ${expected.hostKernel}) and its log does not name gVisor`;
    return { part: "gvisor", detail };
  }
  if (facts.devices.join(" ") !== "lo") {
    return {
      part: "network",
      detail: `network devices inside: ${facts.devices.join(" ") || "none seen"}`,
    };
  }
  if (facts.sockets.length > 0) {
    return {
      part: "sockets",
      detail: `the engine's socket is inside: ${facts.sockets.join(", ")}`,
    };
  }
  if (host.control.uid !== expected.uid || host.control.gid !== expected.gid) {
    return {
      part: "ownership",
      detail: `a file made inside belongs to ${host.control.uid}:${host.control.gid} on the host instead of ${expected.uid}:${expected.gid}`,
    };
  }
  return null;
}

/** gVisor's kernel log names it, and its release is its own, not the host's. */
export function isGvisor(facts: ProbeFacts, hostKernel: string): boolean {
  return facts.dmesgGvisor && facts.release !== "" && facts.release !== hostKernel;
}
