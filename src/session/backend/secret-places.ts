import { dirname, isAbsolute, join } from "node:path";
import { ownUid } from "../../own-user.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** Sockets of container engines: who reaches one is root on this machine. */
const ENGINE_SOCKETS = [
  "/var/run/docker.sock",
  "/run/docker.sock",
  "/run/podman",
  "/run/containerd",
  "/run/crio",
];

/**
 * The places of this user's that no project and no mount may show: where keys lie, and where the
 * sockets are of what acts with the user's rights (ssh and gpg agents, the session's bus, engines,
 * the terminal multiplexer, this very editor).
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
    ...sockets.filter((it) => it !== undefined),
    // "path,pid,session"; the directory holds the other servers' sockets, too.
    ...(env["TMUX"] ? [dirname(env["TMUX"].split(",")[0] ?? "")] : []),
    ...ENGINE_SOCKETS,
  ].filter((path) => isAbsolute(path) && path !== "/");
}
