import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { actions } from "../../src/nvim/actions.ts";
import { calls, notifications } from "../../src/nvim/methods.ts";
import { WIRE_TYPES, wireTypes } from "./wire-types.ts";

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");

/** All Lua sources but the generated one. */
const lua = readdirSync(join(root, "lua"), { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".lua") && join("lua", name) !== WIRE_TYPES)
  .map((name) => readFileSync(join(root, "lua", name), "utf8"))
  .join("\n");

/** The names that Lua uses where this pattern says so. */
function used(pattern: RegExp): string[] {
  return [...new Set([...lua.matchAll(pattern)].map((match) => match[1] ?? ""))].toSorted();
}

describe("the types of what crosses between Lua and the host", () => {
  it("are those that the tables give: `npm run format` writes them", () => {
    expect(readFileSync(join(root, WIRE_TYPES), "utf8")).toBe(wireTypes());
  });

  it("are written by hand nowhere else", () => {
    const generated = [...wireTypes().matchAll(/^---@(?:class \(exact\)|alias) (\S+)/gm)];
    const names = generated.map((match) => match[1] ?? "");
    expect(names.length).toBeGreaterThan(50);
    const byHand = used(/^---@(?:class(?: \(exact\))?|alias) (codex-chat\.[\w.]+)/gm);
    expect(byHand.filter((name) => names.includes(name))).toEqual([]);
  });

  it("name every argument of a call", () => {
    for (const { names, args } of Object.values(calls))
      expect(names).toHaveLength(args.def.items.length);
  });
});

describe("Lua and the host", () => {
  it("have the same notifications", () => {
    const sent = used(
      /(?:notify\([\w.]+, |rpcnotify, [\w.]+, |rpcnotify\([\w.]+, |\.ask\()"([^"]+)"/g,
    );
    expect(sent).toEqual(Object.keys(notifications).toSorted());
  });

  it("have the same calls", () => {
    expect(used(/^function handlers\.(\w+)\(/gm)).toEqual(Object.keys(calls).toSorted());
  });

  it("have the same actions", () => {
    const words = used(/"((?:[a-z]+)\/(?:[a-z]+))"/g);
    const asked = used(/(?:\.run\(\s*[\w.]+,\s*|codex\.tell\(\w+, )"([a-z]+\/[a-z]+)"/g);
    expect(asked.filter((name) => !Object.hasOwn(actions, name))).toEqual([]);
    // The commands of the sandbox put their names together.
    const parts = used(/ask\(\w+, "([a-z]+)"/g).map((name) => `sandbox/${name}`);
    const known = new Set([...words, ...parts, "sandbox/restart", "sandbox/rebuild"]);
    expect(Object.keys(actions).filter((name) => !known.has(name))).toEqual([]);
  });
});
