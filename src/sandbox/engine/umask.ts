/** The umask that container runtimes start processes with. */
const CONTAINER_UMASK = 0o022;

/**
 * The command that runs `argv` with the user's umask, so that files made inside have the modes
 * that the user's own programs would give them. The engine's API has no such setting.
 *
 * `umask` defaults to that of this process.
 */
export function withUmask(
  argv: readonly [string, ...string[]],
  umask: number = process.umask(),
): readonly [string, ...string[]] {
  if (umask === CONTAINER_UMASK) return argv;
  const octal = umask.toString(8).padStart(4, "0");
  return ["/bin/sh", "-c", `umask ${octal} && exec "$@"`, "sh", ...argv];
}
