/**
 * Processes and limits: to take more of the machine than is given, or to touch what runs on it. The
 * controls are containers without the limit in question, or with the host's own kernel.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import type { ContainerCreateOptions } from "dockerode";
import { type Attempt, attempt, group, type Verdict, verdict } from "./catalogue.ts";
import { engine, fortress, type Inside, weakened, withHost } from "./support/containers.ts";
import { closeAtEnd, hostPlace, lazily } from "./support/places.ts";

const MIB = 1024 ** 2;

/** The product with little of everything, so that the attempts need little, too. */
const small = async () =>
  fortress(await hostPlace("small"), { sandbox: { memory: 400 * MIB, pids: 1024 } });
const shared = lazily(small);

function unlimited(
  host: NonNullable<ContainerCreateOptions["HostConfig"]>,
  runtime = "runsc",
): () => Promise<Inside> {
  return () => weakened({ runtime, weaken: (options) => withHost(options, host) });
}

/** The same as root, whom a file's mode and owner do not stop either. */
function asRoot(
  host: NonNullable<ContainerCreateOptions["HostConfig"]>,
  runtime = "runsc",
): () => Promise<Inside> {
  return () =>
    weakened({ runtime, weaken: (options) => withHost({ ...options, User: "0:0" }, host) });
}

/** A plain container that sees the host's processes, a device and its kernel's switches. */
const privileged = lazily(
  asRoot(
    {
      CapDrop: [],
      CapAdd: ["SYSLOG"],
      SecurityOpt: ["seccomp=unconfined"],
      ReadonlyRootfs: false,
      PidMode: "host",
      Tmpfs: { "/tmp": "rw,exec,dev,mode=1777" },
      MaskedPaths: [],
      ReadonlyPaths: [],
      DeviceCgroupRules: ["c 1:* rwm"],
    },
    "runc",
  ),
);

function within(
  name: string,
  tries: string,
  mustHappen: string,
  strike: (inside: Inside) => Promise<Verdict>,
  control: () => Promise<Inside>,
  product: () => Promise<Inside> = shared,
): Attempt {
  return attempt<Inside>({ name, tries, mustHappen, strike, product, control });
}

/** Runs a script and takes its words for what was won; empty where nothing was. */
async function wins({ sh }: Inside, script: string): Promise<Verdict> {
  const won = (await sh(script)).stdout.trim().split("\n").slice(0, 4).join(", ");
  return verdict(won !== "", won || "nothing");
}

/** The most tasks of the host that a container had while `run` lasted. */
async function mostTasks(id: string, run: Promise<unknown>): Promise<number> {
  const container = (await engine()).docker.getContainer(id);
  let [most, isOver] = [0, false];
  void run.finally(() => {
    isOver = true;
  });
  while (!isOver) {
    // The engine takes a minute to answer for a container that dies meanwhile.
    const asked = container.stats({ stream: false, "one-shot": true }).catch(() => undefined);
    const stats = await Promise.race([asked, run.then(() => undefined)]);
    most = Math.max(most, stats?.pids_stats?.current ?? 0);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return most;
}

const FORK = `
import os, signal, sys, time
os.setpgrp()
made = 0
for n in range(int(sys.argv[1])):
    try:
        if os.fork() == 0: time.sleep(20); os._exit(0)
        made += 1
    except OSError: break
print(made, flush=True); time.sleep(2); os.killpg(0, signal.SIGKILL)`;

const bomb = (inside: Inside) =>
  inside.sh('python3 -c "$@"', { args: [FORK, "2500"], timeoutMs: 30_000 });

const FILL = (path: string, mib: number) =>
  `head -c ${mib * MIB} /dev/zero > ${path}/fill 2>/dev/null; [ "$(stat -c %s ${path}/fill)" = ${mib * MIB} ] && echo "${mib} MiB in ${path}"; rm -f ${path}/fill`;

/** Asks for what only the host's kernel has; numbers are those of x86-64 and of arm64. */
const INTERFACES = `
import ctypes, os, platform, struct
libc = ctypes.CDLL(None)
here = 1 if platform.machine() == "aarch64" else 0
room = ctypes.create_string_buffer(256)
a_map = ctypes.create_string_buffer(struct.pack("IIII", 2, 4, 4, 1), 128)
an_event = ctypes.create_string_buffer(struct.pack("IIQ", 1, 112, 0) + bytes(24) + struct.pack("Q", 0x60), 112)
for name, numbers, *args in (
    ("io_uring", (425, 425), 8, room), ("userfaultfd", (323, 282), 1), ("bpf", (321, 280), 0, a_map, 128),
    ("perf_event_open", (298, 241), an_event, 0, -1, -1, 0), ("key rings", (248, 217), b"user", b"codex-chat", b"x", 1, -2),
    ("fanotify", (300, 262), 0x200, 0), ("pidfd", (434, 434), 1, 0), ("memfd_secret", (447, 447), 0), ("fsopen", (430, 430), b"tmpfs", 0)):
    if libc.syscall(numbers[here], *args) >= 0: print(name)`;

group("processes and limits", [
  {
    name: "fork bomb",
    tries: "forks 2,500 processes where 1,024 tasks are allowed",
    mustHappen: "the host never has more of its tasks than are allowed",
    run: async () => {
      const inside = await small();
      const most = await mostTasks(inside.id, bomb(inside));
      return verdict(most > 1024, `${most} tasks on the host at most`);
    },
    control: async () => {
      // Each of its processes is a task of the host's kernel, which they share.
      const { stdout } = await bomb(await unlimited({ PidsLimit: 0 }, "runc")());
      return verdict(Number(stdout) > 1024, `${stdout.trim()} tasks on the host`);
    },
  },
  within(
    "memory",
    "takes 900 MiB where 400 are allowed",
    "the sandbox does not get more memory than is allowed",
    async ({ sh }) => {
      const take = `const held = []; for (let n = 0; n < 9; n++) held.push(Buffer.alloc(100 * ${MIB}, 1)); console.log("took 900 MiB");`;
      const { stdout } = await sh('node -e "$@"', { args: [take], timeoutMs: 30_000 });
      return verdict(stdout.includes("took"), stdout.trim() || "it was ended before");
    },
    unlimited({ Memory: 0, MemorySwap: 0 }),
    small,
  ),
  within(
    "temporary files",
    "fills /tmp with 300 MiB, which would be the host's memory",
    "the file system is full before that",
    (inside) => wins(inside, FILL("/tmp", 300)),
    unlimited({ Tmpfs: { "/tmp": "rw,mode=1777" } }),
  ),
  within(
    "shared memory",
    "fills /dev/shm with 300 MiB",
    "the file system is full before that",
    (inside) => wins(inside, FILL("/dev/shm", 300)),
    unlimited({ ShmSize: 1024 * MIB }),
  ),
  within(
    "the system's own files",
    "writes into /, /etc, /usr, /opt and /var, where it would lie on the host's disk",
    "no system file is written",
    (inside) =>
      wins(
        inside,
        'for at in / /etc /usr/bin /opt/codex-chat /var/lib /root; do touch "$at/mine" && echo "wrote $at"; done 2>/dev/null',
      ),
    asRoot({ ReadonlyRootfs: false }),
  ),
  within(
    "the relay's program",
    "replaces the relay and Codex with its own programs for later turns",
    "its files are unchanged",
    (inside) =>
      wins(
        inside,
        'for at in /opt/codex-chat/relay.mjs /opt/codex-chat/keeper.sh /usr/local/bin/codex; do mv "$at" "$at.old" && echo "replaced $at"; done 2>/dev/null',
      ),
    asRoot({ ReadonlyRootfs: false }),
  ),
  within(
    "signals",
    "kills a user's process on the host by its pid",
    "the process survives",
    async ({ sh }) => {
      const victim = spawn("sleep", ["60"]);
      await once(victim, "spawn");
      closeAtEnd(async () => void victim.kill("SIGKILL"));
      await sh(`kill -9 ${victim.pid}`);
      await new Promise((resolve) => setTimeout(resolve, 300));
      const isGone = victim.exitCode !== null || victim.signalCode !== null;
      return verdict(isGone, isGone ? "it was killed" : `${victim.pid} lives`);
    },
    privileged,
  ),
  within(
    "processes of the host",
    "looks for the host's processes and their environment in /proc",
    "no process of the host is visible",
    async ({ sh }) => {
      const { stdout } = await sh(`cat /proc/${process.pid}/cmdline /proc/${process.pid}/environ`);
      return verdict(stdout.includes("vitest"), `${stdout.length} bytes about the test's process`);
    },
    privileged,
  ),
  within(
    "kernel log",
    "reads the log of the host's kernel",
    "the log is gVisor's",
    async ({ sh }) => {
      const { stdout } = await sh("dmesg; uname -r");
      return verdict(!/gvisor/i.test(stdout), stdout.split("\n")[0] ?? "");
    },
    privileged,
  ),
  within(
    "devices",
    "makes device nodes for the kernel's log, memory and disks, and opens them",
    "no device can be made or opened",
    (inside) =>
      wins(
        inside,
        `cd /tmp; mknod kmsg c 1 11; mknod mem c 1 1; unshare -Ur mknod kmsg2 c 1 11
         for it in kmsg kmsg2 mem /dev/kmsg /dev/mem /dev/kvm /dev/sda /dev/vda; do timeout 1 dd if="$it" bs=8192 count=1 of=/dev/null && echo "opened $it"; done 2>/dev/null`,
      ),
    privileged,
  ),
  within(
    "kernel switches",
    "writes to a switch of the host's kernel in /proc/sys",
    "the host's value is unchanged",
    async ({ sh }) => {
      // One that matters to nobody: how many messages a burst of the kernel's may have.
      const path = "/proc/sys/kernel/printk_ratelimit_burst";
      const before = await readFile(path, "utf8");
      await sh(`mount -o remount,rw /proc/sys; echo ${Number(before) + 1} > ${path}`);
      const after = await readFile(path, "utf8");
      // By the way that was found, since this process may not be root's.
      if (after !== before) await sh(`echo ${before.trim()} > ${path}`);
      return verdict(after !== before, `${before.trim()} is now ${after.trim()}`);
    },
    privileged,
  ),
  within(
    "interfaces of the kernel",
    "asks for io_uring, userfaultfd, bpf, perf events, key rings, fanotify, pidfds and the like",
    "the sandbox's kernel has none of them",
    (inside) => wins(inside, `python3 -c '${INTERFACES}'`),
    unlimited({ CapDrop: [], SecurityOpt: ["seccomp=unconfined"] }, "runc"),
  ),
  within(
    "engine's socket",
    "looks for the engine's socket and other sockets of the host to start its own container",
    "no socket of an engine is there",
    async ({ sh }) => {
      const path = (await engine()).socketPath;
      const { stdout } = await sh(`for it in "$@"; do [ -S "$it" ] && echo "$it"; done; true`, {
        args: [
          path,
          "/var/run/docker.sock",
          "/run/podman/podman.sock",
          "/run/containerd/containerd.sock",
        ],
      });
      return verdict(stdout !== "", stdout.trim() || "no socket of the host");
    },
    async () => {
      const path = (await engine()).socketPath;
      if (!existsSync(path)) throw new Error(`${path} is not there`);
      return weakened({ runtime: "runc", mounts: [path], weaken: (options) => options });
    },
  ),
]);
