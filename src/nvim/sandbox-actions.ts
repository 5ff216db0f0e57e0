import * as z from "zod";
import { CacheVolume, NoParams, SelfTestCheck } from "./shapes.ts";

/** Confirmations, for when a turn runs or others use the container. */
const Ending = z.object({
  turn: z.boolean().default(false).describe("ends a running turn as well"),
  others: z
    .boolean()
    .default(false)
    .describe("ends the container from under other Neovims as well"),
});

const Container = z
  .object({
    id: z.string(),
    name: z.string(),
    running: z.boolean(),
    image: z.string(),
    runtime: z.string(),
    startedMs: z.number().describe("since 1970"),
    seconds: z.int().describe("since it was started"),
    user: z.string(),
    network: z.string(),
    memoryBytes: z.number(),
    cpus: z.number(),
    pids: z.int(),
    mounts: z.array(
      z.object({ path: z.string(), kind: z.string() }).meta({ id: "ContainerMount" }),
    ),
    processes: z.array(z.string()).describe("as programs inside call themselves"),
  })
  .meta({ id: "Container" });

const SandboxStatus = z
  .object({
    engine: z.string(),
    runtime: z.string(),
    attached: z.boolean().describe("whether this host uses the container"),
    others: z.int().describe("how many other Neovims use it"),
    notes: z.array(z.string()),
    container: Container.optional(),
  })
  .meta({ id: "SandboxStatus" });

const Checked = z.discriminatedUnion("held", [
  z
    .object({
      held: z.literal(true),
      engine: z.string(),
      runtime: z.string(),
      image: z.string(),
      kernel: z.string(),
      gvisor: z.boolean(),
      checks: z.array(SelfTestCheck),
    })
    .meta({ id: "SelfTestHeld" }),
  z
    .object({
      held: z.literal(false),
      message: z.string(),
      fix: z.string().optional(),
      checks: z.array(SelfTestCheck),
      ended: z.boolean().describe("whether the sandbox ran, and was ended for it"),
    })
    .meta({ id: "SelfTestFailed" }),
]);

const Space = z
  .object({
    caches: z.array(CacheVolume).describe("of this project"),
    gone: z.array(CacheVolume).describe("of projects that are gone"),
    images: z.object({ count: z.int(), bytes: z.number() }).meta({ id: "OldImages" }),
  })
  .meta({ id: "Removable" });

const Shell = z
  .object({ socket: z.string(), container: z.string(), cwd: z.string() })
  .meta({ id: "ShellPlace" });

const StartedSandbox = z.object({ sandbox: z.string() }).meta({ id: "StartedSandbox" });

/** Actions on the project's sandbox. */
export const sandboxActions = {
  "sandbox/status": { params: NoParams, result: SandboxStatus },
  "sandbox/check": { params: NoParams, result: Checked },
  "sandbox/shell": { params: NoParams, result: Shell },
  "sandbox/space": { params: NoParams, result: Space },
  "sandbox/prune": { params: NoParams, result: z.string() },
  "sandbox/clear": { params: Ending, result: z.string() },
  "sandbox/restart": { params: Ending, result: StartedSandbox },
  "sandbox/rebuild": { params: Ending, result: StartedSandbox },
  "sandbox/unprotect": { params: z.object({ path: z.string().min(1) }), result: z.string() },
} as const;
