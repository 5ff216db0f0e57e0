import { domainToASCII } from "node:url";
import { err, ok, type Result } from "../../result.ts";
import { PRESETS } from "./presets.ts";
import { hostText, parseHost, parseTarget, type Target } from "./target.ts";

/** The ports of an entry that names none. */
const WEB_PORTS: readonly number[] = [80, 443];

/** This machine by name, and the addresses that it has: no resolver is asked for those. */
export const LOCALHOST = "localhost";
export const LOOPBACK: readonly string[] = ["127.0.0.1", "::1"];

/** What one word of `network.allow` allows. */
type Entry = {
  /** In the spelling of `Target`. */
  readonly host: string;
  readonly isAddress: boolean;
  /** Whether the names below `host` are meant, and not `host` itself. */
  readonly isBelow: boolean;
  readonly ports: readonly number[];
};

/** The hosts that may be reached without asking, read from the user's own words. */
export class AllowList {
  readonly #entries: readonly Entry[];

  private constructor(entries: readonly Entry[]) {
    this.#entries = entries;
  }

  /** Nothing at all. */
  static readonly none = new AllowList([]);

  /** Reads the entries; the error is a sentence about the first that is wrong. */
  static parse(texts: readonly string[]): Result<AllowList, string> {
    const entries: Entry[] = [];
    for (const text of texts) {
      const parsed = parseEntry(text);
      if (!parsed.ok) return parsed;
      entries.push(...parsed.value);
    }
    return ok(new AllowList(entries));
  }

  /** Whether the host of an http or https address is allowed; the error is the entry that would. */
  checkUrl(url: URL): Result<void, string> {
    const target = parseTarget(url.host, url.protocol === "http:" ? 80 : 443);
    if (target === undefined) return err(url.host);
    return this.has(target) ? ok() : err(entryFor(target));
  }

  /** Services of this machine that are named by a loopback address, or as localhost, and port. */
  get local(): readonly Target[] {
    return this.#entries
      .filter(({ host, isBelow }) => !isBelow && [LOCALHOST, ...LOOPBACK].includes(host))
      .flatMap(({ host, isAddress, ports }) => ports.map((port) => ({ host, port, isAddress })));
  }

  /** Whether this host may be asked for at this port. */
  has({ host, port, isAddress }: Target): boolean {
    return this.#entries.some(
      (entry) =>
        entry.isAddress === isAddress &&
        entry.ports.includes(port) &&
        (entry.isBelow ? host.endsWith(`.${entry.host}`) : host === entry.host),
    );
  }
}

/** The entry that would allow exactly this: without a port where that is one of the web's. */
export function entryFor({ host, port, isAddress }: Target): string {
  return isAddress || !WEB_PORTS.includes(port) ? `${hostText(host)}:${port}` : host;
}

/**
 * Reads one entry: a preset, `domain`, `*.domain`, either with `:port`, or `address:port`.
 *
 * A domain alone means ports 80 and 443. `*.domain` means the names below it and not `domain`
 * itself. An address needs its port, and so does `localhost`, which is both of its addresses. Names
 * may be written in any script.
 */
function parseEntry(text: string): Result<readonly Entry[], string> {
  const preset = Object.hasOwn(PRESETS, text) ? PRESETS[text] : undefined;
  if (preset !== undefined)
    return ok(preset.map((host) => ({ host, isAddress: false, isBelow: false, ports: WEB_PORTS })));
  const isBelow = text.startsWith("*.");
  const [, name, port] = /^(.*?)((?::\d+)?)$/.exec(isBelow ? text.slice(2) : text) ?? [];
  // SECURITY: only here, where the user writes: what comes from inside must be ASCII already.
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
    return wrong(`is an address: name its port, as in "${hostText(host)}:8080"`);
  if (isBelow && !host.includes(".")) return wrong("is too broad: name a domain below it");
  if (!isAddress && !host.includes(".") && target.port === 0)
    return wrong(
      `is no preset (${Object.keys(PRESETS).join(", ")}); of a host without a dot name the port, as in "${host}:443"`,
    );
  const ports = target.port === 0 ? WEB_PORTS : [target.port];
  // By that name both addresses are meant: which of them a service listens at is its own choice.
  const also = host === LOCALHOST && !isBelow ? LOOPBACK : [];
  return ok([
    ...also.map((address) => ({ host: address, isAddress: true, isBelow, ports })),
    { host, isAddress, isBelow, ports },
  ]);
}
