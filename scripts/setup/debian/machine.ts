import { readFile } from "node:fs/promises";
import { failSetup } from "../failure.ts";
import { type AptSource, mirrorOf, readMachineSources } from "./sources.ts";

/** A machine on which Debian's packages can be fetched. */
export type DebianMachine = {
  /** The release's name, such as `bookworm`. */
  readonly codename: string;
  /** The archive that this machine's own release comes from. */
  readonly mirror: AptSource;
};

/** The directory name that Debian gives to libraries of this machine's processor. */
export const multiarch: string =
  process.arch === "arm64" ? "aarch64-linux-gnu" : "x86_64-linux-gnu";

/** Reads `/etc/os-release` into its fields. */
export function parseOsRelease(text: string): Readonly<Record<string, string>> {
  const fields: Record<string, string> = {};
  for (const match of text.matchAll(/^(\w+)=(?:"([^"]*)"|'([^']*)'|(.*))$/gm)) {
    fields[match[1] ?? ""] = match[2] ?? match[3] ?? match[4] ?? "";
  }
  return fields;
}

/** Why nothing can be fetched here; undefined if it can. */
export async function whyNotSelfServed(): Promise<string | undefined> {
  const fields = await readOsRelease();
  const name = fields["PRETTY_NAME"] ?? process.platform;
  if (process.platform !== "linux") return `this is ${process.platform}, not Linux`;
  if (fields["ID"] !== "debian") return `this is ${name}, not Debian`;
  if (fields["VERSION_CODENAME"] === undefined) return `${name} does not name its release`;
  if (process.getuid?.() !== 0) return "you are not root, which a private engine needs";
  return undefined;
}

/** Finds the archive in the machine's own apt configuration; no host is named here. */
export async function debianMachine(): Promise<DebianMachine> {
  const codename = (await readOsRelease())["VERSION_CODENAME"] ?? "";
  const mirror = mirrorOf(await readMachineSources(), codename);
  if (mirror !== undefined) return { codename, mirror };
  return failSetup("missing", `apt has no source for Debian ${codename}, component main.`, [
    "Name the archive that this machine was installed from in /etc/apt/sources.list.d",
  ]);
}

async function readOsRelease(): Promise<Readonly<Record<string, string>>> {
  return parseOsRelease(await readFile("/etc/os-release", "utf8").catch(() => ""));
}
