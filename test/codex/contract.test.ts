import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import * as z from "zod";
import { METHODS } from "../../src/codex/client-methods.ts";
import { ITEM_TYPES, Item } from "../../src/codex/messages/item.ts";
import { NOTIFICATIONS } from "../../src/codex/messages/notification.ts";
import { REQUEST_METHODS } from "../../src/codex/server-requests/approval.ts";
import { differences, flatten, type JsonSchema } from "./schema.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const codex = join(root, "node_modules/.bin/codex");

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "codex-chat-contract-"));
  await execa(codex, ["app-server", "generate-json-schema", "--experimental", "--out", dir]);
});
afterAll(() => rm(dir, { recursive: true, force: true }));

async function read(name: string): Promise<JsonSchema> {
  return JSON.parse(await readFile(join(dir, name), "utf8")) as JsonSchema;
}

/** Our schema as JSON schema; checks that only code can make are left open. */
function ours(schema: z.ZodType): JsonSchema {
  return z.toJSONSchema(schema, {
    io: "input",
    unrepresentable: "any",
    target: "draft-7",
    reused: "inline",
  }) as JsonSchema;
}

/** The params of each message of a union, by method. */
async function paramsByMethod(name: string): Promise<[Map<unknown, JsonSchema>, JsonSchema]> {
  const schema = await read(name);
  const entries = flatten(schema, schema).flatMap((variant) => {
    const method = variant.properties?.["method"]?.enum?.[0];
    return method === undefined ? [] : [[method, variant.properties?.["params"] ?? {}] as const];
  });
  return [new Map(entries), schema];
}

describe("what we read of Codex", () => {
  it.each(Object.entries(NOTIFICATIONS))("is in the notification %s", async (method, schema) => {
    const [known, whole] = await paramsByMethod("ServerNotification.json");
    const theirs = known.get(method);
    if (theirs === undefined) throw new Error(`there is no notification ${method}`);
    expect(differences(ours(schema), theirs, whole)).toEqual([]);
  });

  it("is in each kind of item", async () => {
    const whole = await read("ServerNotification.json");
    const theirs = whole.definitions?.["ThreadItem"] ?? {};
    expect(differences(ours(Item), theirs, whole)).toEqual([]);
  });

  it("leaves no kind of item out", async () => {
    const whole = await read("ServerNotification.json");
    const kinds = flatten(whole.definitions?.["ThreadItem"] ?? {}, whole).map(
      (variant) => variant.properties?.["type"]?.enum?.[0],
    );
    expect([...ITEM_TYPES].sort()).toEqual([...new Set(kinds)].sort());
  });

  it.each(Object.entries(METHODS))("is in the answer to %s", async (method, { result }) => {
    const [params] = await paramsByMethod("ClientRequest.json");
    const name = params.get(method)?.$ref?.replace(/^.*\/(.*)Params$/, "$1Response");
    if (name === undefined) throw new Error(`there is no request ${method}`);
    const theirs = await read(`${method === "initialize" ? "v1" : "v2"}/${name}.json`);
    expect(differences(ours(result), theirs, theirs)).toEqual([]);
  });

  it("knows every request that Codex makes, or refuses it by name", async () => {
    const [known] = await paramsByMethod("ServerRequest.json");
    // Codex never sends these to a client like ours; src/codex/server-requests/approval.ts refuses them.
    const refused = [
      "account/chatgptAuthTokens/refresh",
      "applyPatchApproval",
      "attestation/generate",
      "execCommandApproval",
    ];
    expect([...REQUEST_METHODS, ...refused].sort()).toEqual([...known.keys()].sort());
  });
});

describe("what we send to Codex", () => {
  it("is of its own types", { timeout: 60_000 }, async () => {
    await execa(codex, ["app-server", "generate-ts", "--experimental", "--out", join(dir, "ts")]);
    expect(await typeErrors("ParamsOf<M>")).toBe("");
  });

  it("fails the check when a name or a value is wrong", { timeout: 60_000 }, async () => {
    expect(await typeErrors(`ParamsOf<M> & { readonly modle?: string }`)).toContain("modle");
    expect(await typeErrors(`Omit<ParamsOf<M>, "cwd"> & { readonly cwd: number }`)).not.toBe("");
  });

  /** The compiler's output when our params, as `type`, are assigned to the generated types. */
  async function typeErrors(type: string): Promise<string> {
    const file = join(dir, "check.ts");
    await writeFile(
      file,
      `import type { MethodName, ParamsOf } from ${JSON.stringify(join(root, "src/codex/client-methods.ts"))};
       import type { ClientRequest } from "./ts/ClientRequest.ts";
       type Writable<T> = T extends object ? { -readonly [K in keyof T]: Writable<T[K]> } : T;
       type Theirs<M> = Extract<ClientRequest, { method: M }>["params"];
       type Ours<M extends MethodName> = ${type};
       type Wrong<M extends MethodName> = [Extract<ClientRequest, { method: M }>] extends [never]
         ? "no such method"
         : Exclude<keyof Ours<M>, keyof NonNullable<Theirs<M>>> extends never
           ? Writable<Ours<M>> extends Theirs<M> ? never : "another type"
           : Exclude<keyof Ours<M>, keyof NonNullable<Theirs<M>>>;
       type Problems = { [M in MethodName]: [Wrong<M>] extends [never] ? never : [M, Wrong<M>] }[MethodName];
       export const none: never[] = [] as Problems[];
      `,
    );
    const flags = ["--strict", "--noEmit", "--skipLibCheck", "--allowImportingTsExtensions"];
    const { stdout } = await execa(
      join(root, "node_modules/.bin/tsc"),
      [
        ...flags,
        "--target",
        "es2023",
        "--module",
        "nodenext",
        "--types",
        "",
        "--ignoreConfig",
        file,
      ],
      { reject: false, cwd: root },
    );
    return stdout;
  }
});

describe("a difference", () => {
  const theirs: JsonSchema = {
    type: "object",
    required: ["id"],
    properties: {
      id: { type: "string" },
      status: { enum: ["on", "off"] },
      size: { type: ["integer", "null"] },
    },
  };

  it.each([
    [z.object({ idd: z.string().optional() }), ".idd: is unknown there"],
    [z.object({ id: z.number() }), ".id: is not a number there, but string"],
    [z.object({ status: z.string() }), ".status: is needed here and may be absent there"],
    [z.object({ status: z.enum(["of"]).optional() }), '.status: is never "of" there'],
    [z.object({ size: z.array(z.string()).optional() }), ".size: is not an array there"],
  ])("is seen", (schema, difference) => {
    expect(differences(ours(schema), theirs, theirs)).toContain(difference);
  });

  it("is not what the other side has and we do not read", () => {
    const schema = z.object({ id: z.string(), size: z.number().nullish() });
    expect(differences(ours(schema), theirs, theirs)).toEqual([]);
  });
});
