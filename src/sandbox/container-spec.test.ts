import { describe, expect, it } from "vitest";
import {
  allowedEnv,
  type ContainerSpec,
  containerOptions,
  containerUser,
  defaultLimits,
  limitNotes,
  specHash,
  unmountable,
} from "./container-spec.ts";

const GIB = 1024 ** 3;
const spec: ContainerSpec = {
  name: "codex-chat-app-1",
  image: "sha256:1",
  runtime: "runsc",
  uid: 1000,
  gid: 1001,
  env: { TZ: "Europe/Oslo" },
  labels: { "codex-chat.plugin": "1" },
  limits: { memoryBytes: 4 * GIB, cpus: 2, pids: 4096, tmpBytes: GIB, homeBytes: GIB },
  mounts: [
    { source: "/src/a:b ü", target: "/src/a:b ü", readOnly: false },
    { source: "/src/a:b ü/.git", target: "/src/a:b ü/.git", readOnly: true },
  ],
  workingDir: "/src/a:b ü",
};

describe("containerOptions", () => {
  it("asks for no network, no capability, a read-only root and the user's own ids", () => {
    const { HostConfig, User } = containerOptions(spec);
    expect(User).toBe("1000:1001");
    expect(HostConfig).toMatchObject({
      AutoRemove: true,
      Runtime: "runsc",
      NetworkMode: "none",
      CapDrop: ["ALL"],
      SecurityOpt: ["no-new-privileges"],
      ReadonlyRootfs: true,
      LogConfig: { Type: "none" },
      Memory: 4 * GIB,
      MemorySwap: 4 * GIB,
      NanoCpus: 2e9,
      PidsLimit: 4096,
    });
    expect(HostConfig).not.toHaveProperty("Binds");
    expect(HostConfig).not.toHaveProperty("Privileged");
    expect(HostConfig).not.toHaveProperty("CapAdd");
  });

  it("passes paths with colons, spaces and non-ASCII letters as bind mounts", () => {
    expect(containerOptions(spec).HostConfig?.Mounts).toEqual([
      {
        Type: "bind",
        Source: "/src/a:b ü",
        Target: "/src/a:b ü",
        ReadOnly: false,
        BindOptions: { Propagation: "rprivate" },
      },
      {
        Type: "bind",
        Source: "/src/a:b ü/.git",
        Target: "/src/a:b ü/.git",
        ReadOnly: true,
        BindOptions: { Propagation: "rprivate" },
      },
    ]);
  });

  it("never asks for fewer than 1024 processes, which crashes gVisor", () => {
    const few = { ...spec, limits: { ...spec.limits, pids: 100 } };
    expect(containerOptions(few).HostConfig?.PidsLimit).toBe(1024);
  });
});

describe("containerUser", () => {
  const user = { uid: 1000, gid: 1001 };
  const docker = { product: "Docker", rootless: false };
  const home = (engine: { product: string; rootless: boolean }) => {
    const made = containerOptions({ ...spec, ...containerUser(engine, user) });
    const env = made.Env?.filter((variable) => /^(USER|TAR_OPTIONS)=/.test(variable));
    return { User: made.User, env, tmpfs: made.HostConfig?.Tmpfs?.["/home/agent"] };
  };

  it("is the user with the user's own ids", () => {
    expect(home(docker)).toEqual({
      User: "1000:1001",
      env: ["USER=agent"],
      tmpfs: expect.stringContaining("mode=0700,uid=1000,gid=1001"),
    });
  });

  it("is root with a rootless engine, where root is the user", () => {
    const rootless = {
      User: "0:0",
      env: ["USER=root", "TAR_OPTIONS=--no-same-owner"],
      tmpfs: expect.stringMatching(/,mode=0700,size/),
    };
    expect(home({ ...docker, rootless: true })).toEqual(rootless);
    expect(home({ product: "Podman", rootless: true })).toEqual(rootless);
  });

  it("has a home open to everybody inside, since Podman cannot set the owner of a tmpfs", () => {
    const { User, tmpfs } = home({ product: "Podman", rootless: false });
    expect(User).toBe("1000:1001");
    expect(tmpfs).toMatch(/,mode=1777,size/);
    const podman = containerUser({ product: "Podman", rootless: true }, user);
    const { HostConfig } = containerOptions({ ...spec, ...podman });
    expect(HostConfig?.Tmpfs?.["/var/tmp"]).toMatch(/^ro,/);
  });
});

describe("specHash", () => {
  it("ignores name and labels, and notices everything else", () => {
    const hash = specHash(spec);
    expect(specHash({ ...spec, name: "other", labels: {} })).toBe(hash);
    const others: ContainerSpec[] = [
      { ...spec, image: "sha256:2" },
      { ...spec, runtime: "runc" },
      { ...spec, uid: 0 },
      { ...spec, env: {} },
      { ...spec, limits: { ...spec.limits, memoryBytes: GIB } },
      { ...spec, mounts: spec.mounts.slice(1) },
    ];
    expect(new Set([hash, ...others.map(specHash)]).size).toBe(others.length + 1);
  });
});

describe("defaultLimits", () => {
  it("takes half of a small machine's memory and at most 4 GiB", () => {
    expect(defaultLimits({ cpus: 8, memoryBytes: 64 * GIB }).memoryBytes).toBe(4 * GIB);
    expect(defaultLimits({ cpus: 2, memoryBytes: 4 * GIB }).memoryBytes).toBe(2 * GIB);
    expect(defaultLimits({ cpus: 2, memoryBytes: 0 }).memoryBytes).toBe(4 * GIB);
  });
});

describe("limitNotes", () => {
  it("names the limits that the engine cannot hold, and why", () => {
    expect(limitNotes({ unlimited: [], rootless: true })).toEqual([]);
    expect(limitNotes({ unlimited: ["cpus", "pids"], rootless: true })).toEqual([
      "The engine cannot limit the sandbox's cpus, pids: a rootless engine needs cgroups v2 delegated to the user.",
    ]);
  });
});

describe("unmountable", () => {
  it("names the paths that Podman's socket would split, and none for Docker", () => {
    for (const path of ["/a,readonly", '/a"b', "/a\nb"]) {
      expect(unmountable({ product: "Podman" }, path)).toContain("Podman's socket cannot mount");
      expect(unmountable({ product: "Docker" }, path)).toBeUndefined();
    }
    expect(unmountable({ product: "Podman" }, "/a b:c'd")).toBeUndefined();
  });
});

describe("allowedEnv", () => {
  it("lets through the time zone and the named variables only", () => {
    const host = { TZ: "UTC", OPENAI_API_KEY: "k", SSH_AUTH_SOCK: "/s", LANG: "de", FOO: "1" };
    expect(allowedEnv(host)).toEqual({ TZ: "UTC" });
    expect(allowedEnv(host, ["FOO", "MISSING", "BAD NAME"])).toEqual({ TZ: "UTC", FOO: "1" });
  });
});
