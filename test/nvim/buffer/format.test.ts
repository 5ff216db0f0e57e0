import { describe, expect, it } from "vitest";
import { projectDir } from "../../../src/threads/places.ts";
import cases from "../../fixtures/format.json" with { type: "json" };
import { neovims, startNeovim } from "../../support/neovim.ts";

// The unit tests of src/chat/format hold TypeScript against the same cases.
describe.each(neovims)("the format in Lua on Neovim $name", (program) => {
  it("is the same as in the host", async () => {
    await using nvim = await startNeovim({ program });
    /** Runs `body` for each case, which is `it` there. */
    const each = <T>(all: readonly unknown[], body: string): Promise<T[]> =>
      nvim.lua(
        `local format = require("codex-chat.format")
         local function run(it) ${body} end
         return vim.tbl_map(function(it)
           local value = run(it)
           return value == nil and vim.NIL or value
         end, ...)`,
        all,
      );
    expect(await each(cases.roles, "return format.role_of(it[1])")).toEqual(
      cases.roles.map(([, role]) => role),
    );
    expect(await each(cases.roles, "return format.is_prompt(it[1])")).toEqual(
      cases.roles.map(([, role]) => role === "user"),
    );
    expect(await each(cases.contexts, "return format.without_context(it.text)")).toEqual(
      cases.contexts.map((entry) => entry.query),
    );
    expect(
      await each(
        cases.contexts,
        `return type(it.context) == "string" and format.is_context_line(it.context) or nil`,
      ),
    ).toEqual(cases.contexts.map((entry) => (entry.context === null ? null : true)));
    expect(
      await nvim.lua(`return require("codex-chat.format").context_line({ "\`a.ts\`", "b" })`),
    ).toBe(cases.contexts[0]?.context);
    expect(await each(cases.frontMatterEnds, "return format.front_matter_end(it.lines)")).toEqual(
      cases.frontMatterEnds.map((frontMatter) => frontMatter.end),
    );
    const fences = `
      local fence
      return vim.tbl_map(function(line)
        fence = format.step(fence, line)
        return fence ~= nil
      end, it.lines)`;
    expect(await each(cases.fences, fences)).toEqual(cases.fences.map((fence) => fence.open));
    expect(await each(cases.answers, "return format.has_answer(it.text)")).toEqual(
      cases.answers.map((answer) => answer.isAnswered),
    );
    expect(await each(cases.names, "return format.name_of(it.lines)")).toEqual(
      cases.names.map((entry) => entry.name),
    );
    expect(await each(cases.cleanNames, "return format.clean_name(it[1])")).toEqual(
      cases.cleanNames.map(([, clean]) => clean),
    );
    const changes = `
      local lines = it.before
      for _, change in ipairs(format.meta_changes(lines, it.meta)) do
        for _ = 1, change.count do table.remove(lines, change.row + 1) end
        for i = #change.lines, 1, -1 do table.insert(lines, change.row + 1, change.lines[i]) end
      end
      return lines`;
    expect(await each(cases.changes, changes)).toEqual(cases.changes.map((change) => change.after));
  });

  it("names the state directory of a project as the host does", async () => {
    await using nvim = await startNeovim({ program });
    const roots = [
      "/",
      "/a/b",
      "/a/my project",
      "/a/ünï 日本",
      `/a/${"x".repeat(200)}`,
      "/a/.b_c-d",
    ];
    const dirs = await nvim.lua<string[]>(
      `return vim.tbl_map(function(root) return require("codex-chat.project").at(root).dir end, ...)`,
      roots,
    );
    const state = dirs[0]?.slice(0, dirs[0].indexOf("/projects/")) ?? "";
    expect(dirs).toEqual(roots.map((root) => projectDir(state, root)));
  });
});
