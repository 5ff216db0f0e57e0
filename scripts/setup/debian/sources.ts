import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

/** One archive as apt is configured to use it. */
export type AptSource = {
  readonly uri: string;
  readonly suites: readonly string[];
  readonly components: readonly string[];
  /** The path of the keyring or the key itself; undefined means apt's trusted keys. */
  readonly signedBy: string | undefined;
};

/** Reads the one-line format (`sources.list`): enabled binary archives only. */
export function parseOneLineSources(text: string): AptSource[] {
  const sources: AptSource[] = [];
  for (const line of text.split("\n")) {
    const match = /^\s*deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)([^#]*)/.exec(line);
    const [, options = "", uri, suite, components = ""] = match ?? [];
    if (uri === undefined || suite === undefined) continue;
    sources.push({
      uri,
      suites: [suite],
      components: words(components),
      signedBy: /(?:^|\s)signed-by=(\S+)/.exec(options)?.[1],
    });
  }
  return sources;
}

/** Reads the deb822 format (`*.sources`): enabled binary archives only. */
export function parseDeb822Sources(text: string): AptSource[] {
  const sources: AptSource[] = [];
  const bare = text.replace(/^#.*\n?/gm, "");
  for (const stanza of bare.split(/\n[ \t]*\n/)) {
    const fields = new Map<string, string>();
    for (const match of stanza.matchAll(/^([\w-]+):((?:.*)(?:\n[ \t].*)*)/gm)) {
      fields.set((match[1] ?? "").toLowerCase(), (match[2] ?? "").trim());
    }
    if (/^(no|false|0|off|disable)$/i.test(fields.get("enabled") ?? "")) continue;
    if (!words(fields.get("types")).includes("deb")) continue;
    for (const uri of words(fields.get("uris"))) {
      sources.push({
        uri,
        suites: words(fields.get("suites")),
        components: words(fields.get("components")),
        signedBy: fields.get("signed-by") || undefined,
      });
    }
  }
  return sources;
}

/** Lists the archives of this machine's apt configuration, in apt's order. */
export async function readMachineSources(etcApt = "/etc/apt"): Promise<AptSource[]> {
  const sources = parseOneLineSources(await readText(join(etcApt, "sources.list")));
  const parts = join(etcApt, "sources.list.d");
  const names = await readdir(parts).catch(() => []);
  for (const name of names.sort()) {
    const text = await readText(join(parts, name));
    if (name.endsWith(".list")) sources.push(...parseOneLineSources(text));
    if (name.endsWith(".sources")) sources.push(...parseDeb822Sources(text));
  }
  return sources;
}

/**
 * Picks the archive that serves the release `codename` itself: Debian's other suites are in the
 * same archive. Others may offer a suite of that name, too, so Debian's own keys or path are preferred.
 */
export function mirrorOf(sources: readonly AptSource[], codename: string): AptSource | undefined {
  const serves = (names: readonly string[]) =>
    sources.filter(
      ({ uri, suites, components }) =>
        !uri.startsWith("cdrom:") &&
        components.includes("main") &&
        suites.some((suite) => names.includes(suite)),
    );
  const candidates = [...serves([codename]), ...serves(["stable", "oldstable", "testing"])];
  return (
    candidates.find(({ signedBy }) => signedBy?.includes("debian-archive-") === true) ??
    candidates.find(({ uri }) => /\/debian\/?$/.test(uri)) ??
    candidates[0]
  );
}

/** Picks the archive of a release's security updates; a machine need not have one. */
export function securityOf(sources: readonly AptSource[], codename: string): AptSource | undefined {
  return sources.find(({ suites }) => suites.includes(`${codename}-security`));
}

/** Writes a deb822 stanza for other suites of the same archive. */
export function formatSource(source: AptSource, suites: readonly string[]): string {
  const lines = ["Types: deb", `URIs: ${source.uri}`, `Suites: ${suites.join(" ")}`];
  lines.push("Components: main");
  if (source.signedBy !== undefined) lines.push(`Signed-By: ${source.signedBy}`);
  return `${lines.join("\n")}\n`;
}

function words(text = ""): string[] {
  return text.split(/\s+/).filter((word) => word !== "");
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch {
    return "";
  }
}
