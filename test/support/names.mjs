/**
 * Gives the host under test names that no resolver knows: loaded into it by `--import`, before its
 * own modules. CODEX_CHAT_TEST_NAMES is JSON, addresses by name; other names are resolved as ever.
 */
import dns from "node:dns/promises";
import { syncBuiltinESMExports } from "node:module";

/** @type {Record<string, string[]>} */
const names = JSON.parse(process.env["CODEX_CHAT_TEST_NAMES"] ?? "{}");
const { lookup } = dns;

/** @param {string} name @param {import("node:dns").LookupAllOptions} options */
async function lookupNamed(name, options) {
  const addresses = names[name];
  if (addresses === undefined) return lookup(name, options);
  return addresses.map((address) => ({ address, family: address.includes(":") ? 6 : 4 }));
}

Object.assign(dns, { lookup: lookupNamed });
syncBuiltinESMExports();
