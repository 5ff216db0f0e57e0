import { join } from "node:path";
import { debianMachine, multiarch, unpackDebian } from "./debian/index.ts";

/** A program with what it needs to run. */
export type Program = {
  readonly argv: readonly [string, ...string[]];
  readonly env: Readonly<Record<string, string>>;
};

/** Fetches luacheck and a Lua to run it into the cache. Debian only. */
export async function setUpLuacheck(): Promise<Program> {
  const { codename } = await debianMachine();
  const root = await unpackDebian("luacheck", {
    suite: codename,
    packages: ["lua-check"],
    present: ["libc6"],
  });
  const lib = ["lib", "usr/lib"].map((dir) => join(root, dir, multiarch));
  return {
    argv: [join(root, "usr/bin/lua5.1"), join(root, "usr/bin/luacheck")],
    env: {
      LUA_PATH: `${root}/usr/share/lua/5.1/?.lua;${root}/usr/share/lua/5.1/?/init.lua`,
      LUA_CPATH: `${root}/usr/lib/${multiarch}/lua/5.1/?.so`,
      LD_LIBRARY_PATH: lib.join(":"),
    },
  };
}
