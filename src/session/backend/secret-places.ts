import { dirname, isAbsolute, join } from "node:path";
import { ownUid } from "../../own-user.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** Sockets of container engines: access to one amounts to root on this machine. */
const ENGINE_SOCKETS = [
  "/var/run/docker.sock",
  "/run/docker.sock",
  "/run/podman",
  "/run/containerd",
  "/run/crio",
];

/**
 * The user's paths that no project and no mount may expose: keys, and the sockets of programs that
 * act with the user's rights (ssh and gpg agents, the session bus, container engines, the terminal
 * multiplexer, this Neovim).
 */
export function secretPlaces(
  env: Environment,
  homes: readonly string[],
  uid: number = ownUid(),
): string[] {
  const sockets = ["SSH_AUTH_SOCK", "NVIM", "NVIM_LISTEN_ADDRESS"].map((name) => env[name]);
  return [
    ...homes.flatMap((home) => [join(home, ".ssh"), join(home, ".gnupg")]),
    ...(env["GNUPGHOME"] ? [env["GNUPGHOME"]] : []),
    env["XDG_RUNTIME_DIR"] || `/run/user/${uid}`,
    ...sockets.filter((path) => path !== undefined),
    // "path,pid,session"; the directory also holds the sockets of other servers.
    ...(env["TMUX"] ? [dirname(env["TMUX"].split(",")[0] ?? "")] : []),
    ...ENGINE_SOCKETS,
  ].filter((path) => isAbsolute(path) && path !== "/");
}
