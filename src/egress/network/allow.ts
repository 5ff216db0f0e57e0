import { domainToASCII } from "node:url";
import { err, ok, type Result } from "../../result.ts";
import { PRESETS } from "./presets.ts";
import { hostText, parseHost, parseTarget, type Target } from "./target.ts";

/** The ports of an entry without a port. */
const WEB_PORTS: readonly number[] = [80, 443];

/** This machine by name, and its addresses: no resolver is asked for this name. */
export const LOCALHOST = "localhost";
export const LOOPBACK: readonly string[] = ["127.0.0.1", "::1"];

/** One entry of `network.allow`, parsed. */
type Entry = {
  /** Spelled as in `Target`. */
  readonly host: string;
  readonly isAddress: boolean;
  /** Whether it allows the names below `host`, and not `host` itself. */
  readonly isBelow: boolean;
  readonly ports: readonly number[];
};

/** The hosts that may be reached without asking, parsed from the user's settings. */
export class AllowList {
  readonly #entries: readonly Entry[];

  private constructor(entries: readonly Entry[]) {
    this.#entries = entries;
  }

  /** An empty list. */
  static readonly none = new AllowList([]);

  /** Parses the entries; the error is a sentence about the first wrong one. */
  static parse(texts: readonly string[]): Result<AllowList, string> {
    const entries: Entry[] = [];
    for (const text of texts) {
      const parsed = parseEntry(text);
      if (!parsed.ok) return parsed;
      entries.push(...parsed.value);
    }
    return ok(new AllowList(entries));
  }

  /**
   * Whether the host of an http or https URL is allowed; the error is the entry that would allow
   * it.
   */
  checkUrl(url: URL): Result<void, string> {
    const target = parseTarget(url.host, url.protocol === "http:" ? 80 : 443);
    if (target === undefined) return err(url.host);
    return this.has(target) ? ok() : err(entryFor(target));
  }

  /** The services of this machine: entries for a loopback address or localhost, with a port. */
  get local(): readonly Target[] {
    return this.#entries
      .filter(({ host, isBelow }) => !isBelow && [LOCALHOST, ...LOOPBACK].includes(host))
      .flatMap(({ host, isAddress, ports }) => ports.map((port) => ({ host, port, isAddress })));
  }

  /** Whether this host may be reached at this port. */
  has({ host, port, isAddress }: Target): boolean {
    return this.#entries.some(
      (entry) =>
        entry.isAddress === isAddress &&
        entry.ports.includes(port) &&
        (entry.isBelow ? host.endsWith(`.${entry.host}`) : host === entry.host),
    );
  }
}

/** The entry that would allow this target; a name with a web port needs no port. */
export function entryFor({ host, port, isAddress }: Target): string {
  return isAddress || !WEB_PORTS.includes(port) ? `${hostText(host)}:${port}` : host;
}

/**
 * Parses one entry: a preset, `domain` or `*.domain`, either with or without `:port`, or
 * `address:port`.
 *
 * A domain alone means ports 80 and 443. `*.domain` means the names below it, and not `domain`
 * itself. An address needs a port, and so does `localhost`, which stands for both of its addresses.
 * Names may be in any script.
 */
function parseEntry(text: string): Result<readonly Entry[], string> {
  const preset = Object.hasOwn(PRESETS, text) ? PRESETS[text] : undefined;
  if (preset !== undefined)
    return ok(preset.map((host) => ({ host, isAddress: false, isBelow: false, ports: WEB_PORTS })));
  const isBelow = text.startsWith("*.");
  const [, name, port] = /^(.*?)((?::\d+)?)$/.exec(isBelow ? text.slice(2) : text) ?? [];
  // SECURITY: only the user's settings are converted; a name from inside must be ASCII.
  const ascii = /[^\p{ASCII}]/u.test(name ?? "") ? domainToASCII(name ?? "") : name;
  const target = parseTarget(`${ascii}${port}`, 0);
  const wrong = (why: string) => err(`${JSON.stringify(text)} ${why}`);
  if (target === undefined)
    return wrong(
      parseHost(`[${text}]`) === undefined
        ? `is neither a preset (${Object.keys(PRESETS).join(", ")}) nor a domain, "*.domain" or "address:port"`
        : "is an address: write it in brackets and with its port",
    );
  const { host, isAddress } = target;
  if (isAddress && (isBelow || target.port === 0))
    return wrong(`is an address: add its port, as in "${hostText(host)}:8080"`);
  if (isBelow && !host.includes(".")) return wrong("is too broad: use a domain below it");
  if (!isAddress && !host.includes(".") && target.port === 0)
    return wrong(
      `is not a preset (${Object.keys(PRESETS).join(", ")}); a host without a dot needs its port, as in "${host}:443"`,
    );
  const ports = target.port === 0 ? WEB_PORTS : [target.port];
  // localhost means both addresses, since a service may listen on either.
  const also = host === LOCALHOST && !isBelow ? LOOPBACK : [];
  return ok([
    ...also.map((address) => ({ host: address, isAddress: true, isBelow, ports })),
    { host, isAddress, isBelow, ports },
  ]);
}
