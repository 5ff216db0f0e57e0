/** The labels of the plugin's containers and images. They prove nothing: see container-record.ts. */
export const LABELS = {
  /** "1" on everything that the plugin makes. */
  plugin: "codex-chat.plugin",
  /** A hash of project and state directory; also in the container's name. */
  project: "codex-chat.project",
  /** The project's root, for people who list containers. */
  root: "codex-chat.root",
  /** `pid:starttime` of the host that made the container. */
  owner: "codex-chat.owner",
  /** Boot id and pid namespace in which that pid counts. */
  scope: "codex-chat.scope",
  /** The uid of the user that the container or image was made for. */
  uid: "codex-chat.uid",
  /** The project's state directory, which holds the leases. */
  state: "codex-chat.state",
  /** A random token, which is also in the state directory's record of the container. */
  token: "codex-chat.token",
  /** A hash of the options that the container was made with, without the protected files. */
  spec: "codex-chat.spec",
  /** The protected files with their identities when they were mounted, JSON. */
  guarded: "codex-chat.guarded",
  /** What a volume is a cache of. */
  cache: "codex-chat.cache",
  codexVersion: "codex-chat.codex",
} as const;
