/** The app-server's protocol, as a Codex binary describes itself. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { METHODS } from "../../src/codex/client-methods.ts";
import { NOTIFICATIONS } from "../../src/codex/messages/notification.ts";
import { REQUEST_METHODS } from "../../src/codex/server-requests/approval.ts";
import type { JsonSchema } from "../../test/codex/schema.ts";

/** The three unions of messages, as the protocol names them, and what of each this project uses. */
const MESSAGES: Readonly<Record<string, readonly string[]>> = {
  ClientRequest: Object.keys(METHODS),
  ServerRequest: REQUEST_METHODS,
  ServerNotification: Object.keys(NOTIFICATIONS),
};

/** Types that no message has a reference to: what Codex sends to the model's endpoint. */
const FURTHER_TYPES = ["ResponseItem"];

/** Has a Codex write its schema, and reads it. Rejects where the program fails. */
export async function readProtocol(codex: string): Promise<JsonSchema> {
  const dir = await mkdtemp(join(tmpdir(), "codex-chat-protocol-"));
  try {
    await execa(codex, ["app-server", "generate-json-schema", "--experimental", "--out", dir]);
    const text = await readFile(join(dir, "codex_app_server_protocol.schemas.json"), "utf8");
    return JSON.parse(text) as JsonSchema;
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

/** Methods by union: all that a protocol has. */
export function methodsOf(protocol: JsonSchema): Readonly<Record<string, readonly string[]>> {
  return Object.fromEntries(
    Object.keys(MESSAGES).map((union) => [union, [...paramsOf(protocol, union).keys()]]),
  );
}

/** The names of the types that the messages this project uses are made of, without what those refer to. */
export function usedTypes(protocol: JsonSchema): readonly string[] {
  const types = Object.entries(MESSAGES).flatMap(([union, methods]) => {
    const all = paramsOf(protocol, union);
    return methods.flatMap((method) => {
      const params = all.get(method);
      if (params === undefined) return [];
      // A notification has no answer; the name is then that of no type.
      return [params, params.replace(/Params$/, "Response")];
    });
  });
  return [...new Set([...types, ...FURTHER_TYPES])];
}

/** The name of each method's type of params. */
function paramsOf(protocol: JsonSchema, union: string): ReadonlyMap<string, string> {
  const variants = protocol.definitions?.[union]?.oneOf ?? [];
  return new Map(
    variants.flatMap(({ properties }) => {
      const method = properties?.["method"]?.enum?.[0];
      const ref = properties?.["params"]?.$ref;
      if (typeof method !== "string") return [];
      return [[method, ref?.replace(/^.*\//, "") ?? ""] as const];
    }),
  );
}
