import { describe, expect, it } from "vitest";
import { luaProblems } from "./lua-walls.ts";

const HEADER = "--- Says what this module is for.\nlocal M = {}\n";

/** Checks modules that have these bodies, by name, against rooms from the ground up. */
function check(bodies: Readonly<Record<string, string>>, rooms: readonly string[]) {
  const texts = Object.entries(bodies).map(
    ([name, body]) => [`lua/codex-chat/${name}.lua`, `${HEADER}${body}\nreturn M\n`] as const,
  );
  return luaProblems(new Map(texts), rooms);
}

describe("luaProblems", () => {
  it("accepts modules that require what is below them, and their own room", () => {
    const bodies = {
      ground: "",
      "room/init": 'local part = require("codex-chat.room.part")',
      "room/part": 'local ground = require("codex-chat.ground")',
      init: 'function M.go()\n  require("codex-chat.room").go()\nend',
    };
    expect(check(bodies, ["ground", "room", "init"])).toEqual([]);
  });

  it("finds a module that is required and was moved", () => {
    const bodies = {
      a: 'function M.go()\n  require("codex-chat.room.gone").go()\nend',
      b: 'function M.go(n)\n  return require("codex-chat.room." .. n)\nend',
    };
    expect(check(bodies, ["a", "b"])).toEqual(["a: requires room.gone, which is not there"]);
  });

  it("finds a circle of modules", () => {
    const bodies = {
      "room/a": 'local b = require("codex-chat.room.b")',
      "room/b": 'local c = require("codex-chat.room.c")',
      "room/c": 'local a = require("codex-chat.room.a")',
    };
    expect(check(bodies, ["room"])).toEqual([
      "a circle of modules: room.a → room.b → room.c → room.a",
    ]);
  });

  it.each([
    ["a require within a function", 'function M.go()\n  require("codex-chat.room.a").go()\nend'],
    ["v:lua in a string", "M.expr = \"v:lua.require'codex-chat.room.a'.fold()\""],
    ["a module's name in a table", 'M.tasks = { open = { module = "codex-chat.room.a" } }'],
    [
      "a name that is put together",
      'function M.go(n)\n  return require("codex-chat.room." .. n)\nend',
    ],
  ])("finds a circle that %s closes", (_, body) => {
    const bodies = { "room/a": 'local b = require("codex-chat.room.b")', "room/b": body };
    expect(check(bodies, ["room"])).toEqual(["a circle of modules: room.a → room.b → room.a"]);
  });

  it("counts neither comments nor the names of groups and namespaces", () => {
    const bodies = {
      "room/a": 'local b = require("codex-chat.room.b")',
      "room/b": [
        '-- require("codex-chat.room.a")',
        'local group = vim.api.nvim_create_augroup("codex-chat.room.a", {})',
        'local ns = vim.api.nvim_create_namespace("codex-chat.room.a")',
      ].join("\n"),
    };
    expect(check(bodies, ["room"])).toEqual([]);
  });

  it("finds an edge that points upwards", () => {
    const bodies = { ground: 'function M.go()\n  require("codex-chat.room.a")\nend', "room/a": "" };
    expect(check(bodies, ["ground", "room"])).toEqual([
      "ground: requires room.a, but ground is below room",
    ]);
  });

  it("lets the table put one module of a folder on a floor of its own", () => {
    const bodies = { "room/a": "", "room/b": 'local x = require("codex-chat.x")', x: "" };
    expect(check(bodies, ["room", "x", "room.b"])).toEqual([]);
    expect(check(bodies, ["room.b", "room", "x"])).toEqual([
      "room.b: requires x, but room.b is below x",
    ]);
  });

  it("finds modules without a room, and rooms without a module", () => {
    expect(check({ a: "" }, ["b"])).toEqual([
      "a: is in no room of the table in scripts/lint/lua-walls.ts",
      "b: is in the table of scripts/lint/lua-walls.ts and has no module",
    ]);
  });

  it("finds a crowded folder", () => {
    const names = Array.from({ length: 16 }, (_, n) => [`room/m${n}`, ""] as const);
    expect(check(Object.fromEntries(names), ["room"])).toEqual([
      "lua/codex-chat/room: 16 modules, at most 15 fit in a folder",
    ]);
  });

  it("finds a module that does not say what it is for", () => {
    const texts = new Map([["lua/codex-chat/a.lua", "local M = {}\nreturn M\n"]]);
    expect(luaProblems(texts, ["a"])).toEqual([
      "lua/codex-chat/a.lua: its first line must be a comment (---) that says what it is for",
    ]);
  });
});
