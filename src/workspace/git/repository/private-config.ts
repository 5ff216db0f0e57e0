import type { Repository, Setting } from "./repository.ts";

/**
 * The user's settings that are copied inside: how files, commits and output look. None that names a
 * program, a file of the host or a credential.
 */
const COPIED = new RegExp(
  `^(?:${[
    "core\\.(?:abbrev|autocrlf|bigfilethreshold|eol|filemode|ignorecase|logallrefupdates|precomposeunicode|protecthfs|protectntfs|quotepath|safecrlf|sparsecheckout|sparsecheckoutcone|symlinks|whitespace|commentchar|worktree)",
    "index\\.sparse",
    "user\\.(?:name|email)",
    "init\\.defaultbranch",
    "branch\\..+\\.(?:remote|merge|rebase)",
    "branch\\.(?:autosetupmerge|autosetuprebase|sort)",
    "commit\\.(?:cleanup|verbose|status)",
    "diff\\.(?:algorithm|context|indentheuristic|mnemonicprefix|noprefix|renames|renamelimit|submodule|ignoresubmodules)",
    "fetch\\.prune",
    "log\\.(?:date|decorate|follow)",
    "merge\\.(?:conflictstyle|ff|renames|renamelimit|stat)",
    "pull\\.(?:ff|rebase)",
    "push\\.(?:default|autosetupremote)",
    "rebase\\.(?:autosquash|autostash|updaterefs|stat)",
    "remote\\..+\\.fetch",
    "rerere\\.enabled",
    "status\\.(?:branch|relativepaths|short|showstash|showuntrackedfiles|submodulesummary|renames)",
    "submodule\\..+\\.(?:ignore|active)",
    "tag\\.sort",
    "apply\\.(?:ignorewhitespace|whitespace)",
  ].join("|")})$`,
);

/** Where the private side has the files that the host's settings name. */
export type PrivatePaths = {
  /** The private git directory as it is inside. */
  readonly gitDir: string;
};

/** The configuration of the private git directory. */
export function privateConfig({ config, format }: Repository, { gitDir }: PrivatePaths): string {
  const own: Setting[] = [
    ["core.repositoryformatversion", format === "sha1" ? "0" : "1"],
    ["core.bare", "false"],
    // So that the host's index is valid inside, where inodes, owners and ctimes differ.
    ["core.checkstat", "minimal"],
    ["core.trustctime", "false"],
    ["core.excludesfile", `${gitDir}/${HOST_EXCLUDES}`],
    ["core.attributesfile", `${gitDir}/${HOST_ATTRIBUTES}`],
    // Borrowed objects are not packed again, and no commit is dropped before it was exported.
    ["gc.auto", "0"],
    ["maintenance.auto", "false"],
    ...(format === "sha1" ? [] : [["extensions.objectformat", format] as const]),
  ];
  const copied = config.filter(([key]) => COPIED.test(key));
  const remotes = config.flatMap(([key, value]): Setting[] => {
    const url = /^remote\..+\.url$/.test(key) ? withoutSecret(value) : undefined;
    return url === undefined ? [] : [[key, url]];
  });
  return [...copied, ...remotes, ...own].map(section).join("");
}

/** Settings for the agent's other repositories, such as those that a test makes. */
const EVERYWHERE = /^(?:user\.(?:name|email)|init\.defaultbranch)$/;

/** The configuration for the agent's home directory; empty if the user has no such settings. */
export function homeConfig({ config }: Repository): string {
  return config
    .filter(([key]) => EVERYWHERE.test(key))
    .map(section)
    .join("");
}

/** Files in the private git directory with the user's own excludes and attributes. */
export const HOST_EXCLUDES = "info/host-excludes";
/** See `HOST_EXCLUDES`. */
export const HOST_ATTRIBUTES = "info/host-attributes";

/** The address of a remote without possible secrets; undefined if git would pass it to a program. */
export function withoutSecret(url: string): string | undefined {
  const [, scheme, rest = ""] = /^([a-z][a-z0-9+.-]*):\/\/(.*)$/i.exec(url) ?? [];
  if (scheme !== undefined) {
    if (!/^(?:https?|ssh|git|git\+ssh|ssh\+git|file)$/i.test(scheme)) return undefined;
    const bare = rest.replace(/^[^/]*@/, "").replace(/[?#].*$/, "");
    return `${scheme}://${bare}`;
  }
  // `host:path` for ssh, or a path; `name::…` names a helper program.
  return url.includes("::") ? undefined : url;
}

/** The filters that git would run on files; their programs are not inside. */
export function filterNames({ config }: Repository): readonly string[] {
  const names = config.flatMap(([key]) => /^filter\.(.+)\.(?:clean|process)$/.exec(key)?.[1] ?? []);
  return [...new Set(names)];
}

function section([key, value]: Setting): string {
  const first = key.indexOf(".");
  const end = key.lastIndexOf(".");
  const sub = first === end ? undefined : key.slice(first + 1, end);
  // A configuration file cannot contain these.
  if (/[\0\n]/.test(sub ?? "") || value.includes("\0")) return "";
  const head =
    sub === undefined
      ? key.slice(0, first)
      : `${key.slice(0, first)} "${sub.replace(/[\\"]/g, "\\$&")}"`;
  const escaped = value
    .replace(/[\\"]/g, "\\$&")
    .replaceAll("\n", "\\n")
    .replaceAll("\t", "\\t")
    .replaceAll("\b", "\\b");
  return `[${head}]\n\t${key.slice(end + 1)} = "${escaped}"\n`;
}
