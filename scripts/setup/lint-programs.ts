import { join } from "node:path";
import { debianMachine, multiarch, unpackDebian } from "./debian/index.ts";
import { onPath } from "./programs.ts";

/** A program with what it needs to run. */
type Program = {
  readonly argv: readonly [string, ...string[]];
  readonly env: Readonly<Record<string, string>>;
};

/** The linters that come from Debian's packages; all others are npm packages. */
export type LintPrograms = { readonly luacheck: Program; readonly shellcheck: Program };

/** Finds the linters on PATH, or fetches them into the cache (Debian only). */
export async function setUpLintPrograms(): Promise<LintPrograms> {
  const luacheck = onPath("luacheck");
  const shellcheck = onPath("shellcheck");
  return {
    luacheck: luacheck === undefined ? await fetchLuacheck() : { argv: [luacheck], env: {} },
    shellcheck:
      shellcheck === undefined ? await fetchShellcheck() : { argv: [shellcheck], env: {} },
  };
}

/** Fetches luacheck and a Lua to run it with. */
async function fetchLuacheck(): Promise<Program> {
  const root = await unpack("luacheck", "lua-check");
  return {
    argv: [join(root, "usr/bin/lua5.1"), join(root, "usr/bin/luacheck")],
    env: {
      LUA_PATH: `${root}/usr/share/lua/5.1/?.lua;${root}/usr/share/lua/5.1/?/init.lua`,
      LUA_CPATH: `${root}/usr/lib/${multiarch}/lua/5.1/?.so`,
      LD_LIBRARY_PATH: libraries(root),
    },
  };
}

async function fetchShellcheck(): Promise<Program> {
  const root = await unpack("shellcheck", "shellcheck");
  return {
    argv: [join(root, "usr/bin/shellcheck")],
    env: { LD_LIBRARY_PATH: libraries(root) },
  };
}

async function unpack(name: string, debianPackage: string): Promise<string> {
  const { codename } = await debianMachine();
  return unpackDebian(name, { suite: codename, packages: [debianPackage], present: ["libc6"] });
}

function libraries(root: string): string {
  return ["lib", "usr/lib"].map((dir) => join(root, dir, multiarch)).join(":");
}
