import type { SelfTestPart } from "../error.ts";

/** Names in the probe's tree, which is mounted writable with the guarded ones read-only on top. */
export const PROBE = {
  guardedDir: "guarded",
  guardedFile: "guarded-file",
  /** In the guarded directory; the container reads its content to show that it sees the tree. */
  canary: "canary",
  /** In the guarded directory, one for each attack, which only that attack removes. */
  canaryOf: (attack: string) => `canary-${attack}`,
  /** A file that a successful attack leaves in the guarded directory. */
  harmOf: (attack: string) => `harm-${attack}`,
  /** Written inside as a control: it proves that the container saw this very tree. */
  control: "control",
  /** A socket on which the host listens. */
  socket: "socket",
} as const;

/** An attempt to change a read-only mount. */
export type MountAttack = {
  readonly name: string;
  /** The attempt in words, for the table. */
  readonly tries: string;
  /** Run by the container's user, or by root in its own user and mount namespace. */
  readonly as: "user" | "root";
  /**
   * Shell, in the tree. `$tree`, `$dir`, `$file` name the targets; `harm ROOT` does all the harm it
   * can below another view of the tree, `mark DIR` leaves the attack's name there, `both COMMAND` runs
   * a command on directory and file.
   */
  readonly script: string;
};

/** The ways that an agent's command could try, as the same user and without capabilities. */
export const MOUNT_ATTACKS: readonly MountAttack[] = [
  user("direct", "writes to a read-only directory and file", "harm ."),
  // Moved back only if it has the attack's mark; otherwise the host sees that it is gone.
  user("rename", "renames the directory", 'mv "$dir" moved && mark moved && mv moved "$dir"'),
  user(
    "rename-file",
    "renames the file",
    'mv "$file" away && echo "$name" >> away && mv away "$file"',
  ),
  user(
    "rename-over",
    "renames another file over it",
    '{ cat "$file"; echo "$name"; } > other && mv other "$file"',
  ),
  user(
    "exchange",
    "exchanges the directory for another one (renameat2)",
    'mkdir -p twin && mv --exchange -T twin "$dir" && mark twin && mv --exchange -T twin "$dir"',
  ),
  user("link", "writes through a hard link", 'ln "$file" linked && echo "$name" >> linked'),
  user(
    "remove",
    "removes what is in the directory, and the file",
    'rm -rf "$dir/canary-remove"; cp "$file" copy; rm -f "$file" && cat copy > "$file"',
  ),
  root("remount", "remounts writable", "both mount -o remount,rw; harm ."),
  root("remount-bind", "remounts the bind writable", "both mount -o remount,bind,rw; harm ."),
  root(
    "unmount",
    "unmounts",
    'both umount; harm "$tree"; mv "$dir" moved && mark moved && mv moved "$dir"',
  ),
  root("unmount-lazy", "unmounts lazily", 'both umount -l; harm "$tree"'),
  root("unmount-tree", "unmounts the tree around it", 'umount -l "$tree"; harm "$tree"'),
  root(
    "bind",
    "binds the tree elsewhere",
    'mkdir -p /tmp/b; mount --bind "$tree" /tmp/b; harm /tmp/b',
  ),
  root(
    "rbind",
    "binds the tree elsewhere and unmounts there",
    'mkdir -p /tmp/r; mount --rbind "$tree" /tmp/r; umount -l "/tmp/r/$dir"; umount -l "/tmp/r/$file"; harm /tmp/r',
  ),
  root(
    "bind-guarded",
    "binds the directory elsewhere and remounts that",
    'mkdir -p /tmp/g; mount --bind "$tree/$dir" /tmp/g; mount -o remount,rw /tmp/g; mount -o remount,bind,rw /tmp/g; mark /tmp/g',
  ),
  root(
    "move",
    "moves the mount away",
    'mkdir -p /tmp/m; mount --move "$tree/$dir" /tmp/m; harm "$tree"',
  ),
  root(
    "root-bind",
    "binds the root elsewhere",
    'mkdir -p /tmp/s; mount --bind / /tmp/s || mount --rbind / /tmp/s; harm "/tmp/s$tree"',
  ),
  root(
    "chroot",
    "unmounts in another root",
    'mkdir -p /tmp/c; mount --rbind / /tmp/c; chroot /tmp/c sh -c "umount -l \\"\\$tree/\\$dir\\"; echo x > \\"\\$tree/\\$dir/harm-\\$name\\""',
  ),
  root(
    "proc-root",
    "goes by another process's root",
    'harm "/proc/1/root$tree"; harm "/proc/self/root$tree"',
  ),
  root(
    "nested",
    "unmounts and remounts in a second user namespace",
    'unshare -Urm sh -c "umount -l \\"\\$tree/\\$dir\\"; mount -o remount,rw \\"\\$tree/\\$dir\\"; echo x > \\"\\$tree/\\$dir/harm-\\$name\\""',
  ),
  root(
    "mknod",
    "makes a device of the disk",
    'mknod "$tree/device" b 8 0; mknod "$tree/$dir/harm-$name" b 8 0; [ -b "$tree/device" ]',
  ),
];

/** Programs that the attacks need; without them nothing would be proven. */
const TOOLS = "unshare mount umount mv dmesg ln sh mkfifo find sed head tail wc setpriv node".split(
  " ",
);

/** Connects from inside and prints `net=<name>:<code>`; `reached` must never be printed. */
const NET_SCRIPT = `
const [port] = process.argv.slice(1);
const say = (name, what) => console.log("net=" + name + ":" + what);
const dial = (name, to) => new Promise((done) => {
  const socket = require("net").connect(to, () => { say(name, "reached"); socket.destroy(); done(); });
  socket.on("error", (error) => { say(name, error.code || "refused"); done(); });
  setTimeout(() => { socket.destroy(); done(); }, 3000).unref();
});
const route = (name, type, address) => new Promise((done) => {
  const socket = require("dgram").createSocket(type);
  const end = (what) => { say(name, what); try { socket.close(); } catch {} done(); };
  socket.on("error", (error) => end(error.code || "refused"));
  try { socket.connect(9, address, (error) => end(error ? error.code : "reached")); }
  catch (error) { end(error.code || "refused"); }
});
(async () => {
  await route("route", "udp4", "192.0.2.1");
  await route("route6", "udp6", "2001:db8::1");
  await route("metadata", "udp4", "169.254.169.254");
  await dial("loopback", { host: "127.0.0.1", port: Number(port) });
  await dial("unix", { path: "./${PROBE.socket}" });
})();
`;

/**
 * The program that runs inside: it prints what it sees, then attacks. The host judges whether an
 * attack on a mount succeeded.
 *
 * `$1` is the tree, `$2` the control's content, `$3` a port of the host, `$4` the size
 * of /tmp in bytes, `$5…` paths that must not exist.
 */
export const PROBE_SCRIPT = `
export tree=$1 dir=${PROBE.guardedDir} file=${PROBE.guardedFile}
control=$2 port=$3 tmp_bytes=$4; shift 4
for tool in ${TOOLS.join(" ")}; do command -v $tool >/dev/null || echo "missing=$tool"; done
echo "release=$(uname -r)"
dmesg 2>/dev/null | grep -qi gvisor && echo "dmesg=gvisor"
echo "netdevices=$(sed -n 's/^ *\\([^:|]*\\):.*/\\1/p' /proc/net/dev | tr '\\n' ' ')"
[ -r /proc/net/dev ] || echo "unread=/proc/net/dev"
[ -r /proc/net/route ] || echo "unread=/proc/net/route"
sed 1d /proc/net/route | while read device rest; do [ "$device" = lo ] || echo "route=$device"; done
for path in "$@"; do [ -e "$path" ] && echo "socket=$path"; done
echo "devices=$(find /dev -type b | tr '\\n' ' ')"
for device in mem kmem port kmsg kvm sda nvme0; do [ -e /dev/$device ] && echo "device=/dev/$device"; done
echo "capabilities=$(sed -n 's/^Cap[A-Z][a-z]*:[[:space:]]*//p' /proc/self/status | tr '\\n' ' ')"
echo "nonewprivs=$(setpriv --dump 2>/dev/null | sed -n 's/^no_new_privs: *//p')"
echo "canary=$(cat "$tree/$dir/${PROBE.canary}")"
printf %s "$control" > "$tree/${PROBE.control}" || echo "control=unwritten"
cd "$tree" || exit 1

# A program with the set-uid bit, caught while it waits for a password. Root is not asked for one, so
# that it is over before it is seen, and has nothing to win.
su=$(command -v su)
if [ "$(id -u)" = 0 ]; then echo "setuid=0"
elif [ -n "$su" ] && [ -u "$su" ]; then
  mkfifo /tmp/password; sleep 20 > /tmp/password & keep=$!
  su -c true < /tmp/password > /dev/null 2>&1 & pid=$!
  n=0; while [ $n -lt 100 ] && [ "$(cat /proc/$pid/comm 2>/dev/null)" != su ]; do sleep 0.05; n=$((n+1)); done
  set -- $(sed -n 's/^Uid://p' /proc/$pid/status)
  echo "setuid=\${2:-unread}"
  kill $keep $pid 2>/dev/null; rm -f /tmp/password
else echo "setuid=none"; fi

{ echo x > /var/tmp/probe || echo x > /probe; unshare -Urm sh -c 'mount -o remount,rw /; mount -o remount,bind,rw /; echo x > /var/tmp/probe'; } 2>/dev/null
for path in /var/tmp/probe /probe; do [ -e $path ] && echo "root=written"; done
node -e '${NET_SCRIPT}' "$port"

try() { export name=$1; shift; "$@" >/dev/null 2>&1 </dev/null; echo "tried=$name:$?"; }
# The attacks' own shells get the tree as a variable, because its path has a space in it.
mark='mark() { echo x > "$1/harm-$name"; }; '
harm='harm() { mark "$1/$dir"; echo "$name" >> "$1/$file"; rm -f "$1/$dir/canary-$name"; [ -e "$1/$dir/harm-$name" ]; }; '
both='both() { "$@" "$tree/$dir"; "$@" "$tree/$file"; }; '
as_user() { try "$1" sh -c "$mark$harm$both$2"; }
as_root() { try "$1" unshare -Urm sh -c "$mark$harm$both$2"; }
${MOUNT_ATTACKS.map(({ name, as, script }) => `as_${as} ${name} '${script}'`).join("\n")}

head -c $((tmp_bytes + 1048576)) /dev/zero > /tmp/full 2>/dev/null
echo "tmp=$(wc -c < /tmp/full)"; rm -f /tmp/full
echo "done=1"
`;

/**
 * Takes more memory or processes than the container may have; must never print `survived`. `$1` is the
 * kind, `$2` the amount in bytes or processes.
 */
export const LIMIT_SCRIPT = `
echo start
kind=$1 much=$2 taken=0
case $kind in
memory) taken=$(head -c $much /dev/zero | tail -c $much | wc -c) ;;
processes)
  mkfifo /tmp/wait
  while [ $taken -lt $much ]; do (: < /tmp/wait) & taken=$((taken + 1)); done
  set -- /proc/[0-9]*; taken=$# ;;
esac
[ $taken -ge $much ] && echo survived
`;

function user(name: string, tries: string, script: string): MountAttack {
  return { name, tries, as: "user", script };
}

function root(name: string, tries: string, script: string): MountAttack {
  return { name, tries: `${tries}, in a user namespace`, as: "root", script };
}

/** A check besides the mounts: its row in the table, and the part that it proves. */
export type FactCheck = {
  readonly name: string;
  readonly tries: string;
  readonly part: SelfTestPart;
};

/** The other checks, by name. */
export const FACT_CHECKS = {
  kernel: fact("gvisor", "asks the kernel for its name"),
  devices: fact("devices", "looks for disks and the machine's memory in /dev"),
  capabilities: fact("privileges", "looks for capabilities"),
  privileges: fact("privileges", "asks whether new privileges are possible"),
  setuid: fact("privileges", "runs a set-uid program"),
  root: fact("privileges", "writes to the system's files"),
  network: fact("network", "looks for network devices"),
  route: fact("network", "looks for a route out (IPv4)"),
  route6: fact("network", "looks for a route out (IPv6)"),
  metadata: fact("network", "looks for a route to the cloud's metadata"),
  loopback: fact("network", "connects to a port on this machine's loopback"),
  unix: fact("sockets", "connects to a socket in the project on which this machine listens"),
  engine: fact("sockets", "looks for the engine's socket"),
  ownership: fact("ownership", "makes a file in the project"),
  tmp: fact("limits", "fills /tmp beyond its size"),
  memory: fact("limits", "takes more memory than it may"),
  processes: fact("limits", "starts more processes than it may"),
} as const;

/** The name of a check besides the mounts. */
export type FactName = keyof typeof FACT_CHECKS;

function fact(part: SelfTestPart, tries: string): Omit<FactCheck, "name"> {
  return { part, tries };
}
