import { mkdir, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { describe, expect, it } from "vitest";
import { inProject, SECRET } from "../../support/in-project.ts";
import { neovims } from "../../support/neovim.ts";

const RESOLVE = `
  local parts, err = require("codex-chat.context.resolve").all(...)
  return (vim.json.encode({ parts = parts, err = err }):gsub("\\\\/", "/"))`;

describe.each(neovims)("what the model is given, on Neovim $name,", (program) => {
  it("comes only from the project even if a file is swapped between the checks", async () => {
    const { chat, nvim, project, victim } = await inProject(program);
    await using _chat = chat;
    const path = join(project, "notes.txt");
    const plant = async () => {
      await rm(path, { force: true });
      await writeFile(path, "harmless\n");
    };
    // After the first look, and after each later one: open, then ask where it is, then read.
    for (const at of ["fs_readlink", "fs_fstat", "fs_open"]) {
      await plant();
      const sent = await nvim.lua<string>(
        `local at, path, victim, text, root = ...
         local real, done = vim.uv[at], false
         vim.uv[at] = function(...)
           local result = vim.F.pack_len(real(...))
           if not done then
             done = true
             os.remove(path)
             vim.uv.fs_symlink(victim, path)
           end
           return vim.F.unpack_len(result)
         end
         local parts, err = require("codex-chat.context.resolve").all(text, root)
         vim.uv[at] = real
         return vim.json.encode({ done = done, parts = parts, err = err })`,
        at,
        path,
        victim,
        "@notes.txt#L1",
        project,
      );
      expect(sent).toContain('"done":true');
      expect(sent).not.toContain("secret");
    }
    // The control: resolved, swapped, and opened by the path.
    await plant();
    const control = await nvim.lua<string>(
      `local path, victim = ...
       local full = vim.uv.fs_realpath(path)
       os.remove(path)
       vim.uv.fs_symlink(victim, path)
       return table.concat(vim.fn.readfile(full), "\\n")`,
      path,
      victim,
    );
    expect(control).toContain("secret");
  });

  it.each([
    ["@link#L1", "is outside"],
    ["@linked/bashrc#L1", "is outside"],
    ["@linked", "is outside"],
    ["@config#L1", "leads to .git/config; name that one instead"],
    ["@env#L1", "leads to .env; name that one instead"],
    ["@image:link.png", "leads out of the project"],
    ["@image:linked/dot.png", "leads out of the project"],
    ["@image:pipe", "cannot be read"],
    ["@image:ALIAS/link.png", "leads out of the project"],
    ["@zero#L1", "is outside"],
  ])("does not include what leads elsewhere: %s", async (mention, reason) => {
    const { chat, nvim, project, outside, victim } = await inProject(program);
    await using _chat = chat;
    const png = Buffer.from("89504e470d0a1a0a0000000d", "hex");
    await writeFile(join(outside, "dot.png"), png);
    await mkdir(join(project, ".git"), { recursive: true });
    await writeFile(join(project, ".git/config"), SECRET);
    await writeFile(join(project, ".env"), SECRET);
    await symlink(victim, join(project, "link"));
    await symlink(outside, join(project, "linked"));
    await symlink(".git/config", join(project, "config"));
    await symlink(".env", join(project, "env"));
    await symlink("/dev/zero", join(project, "zero"));
    await symlink(join(outside, "dot.png"), join(project, "link.png"));
    await execa("mkfifo", [join(project, "pipe")]);
    await symlink(project, join(outside, "alias"));
    const named = mention.replace("ALIAS", join(outside, "alias"));
    const refused = await nvim.lua<string>(RESOLVE, `See ${named} there`, project);
    expect(refused).toContain(reason);
    expect(refused).not.toContain("secret");
    // What the user names itself is meant, and a link within the project is as good as the file.
    await writeFile(join(project, "plain"), "plain\n");
    await symlink("plain", join(project, "alias"));
    const wanted = await nvim.lua<string>(
      RESOLVE,
      `See @.env#L1 and @alias#L1 and @image:${join(outside, "dot.png")} there`,
      project,
    );
    expect(wanted).toContain("a secret");
    expect(wanted).toContain("plain");
    expect(wanted).toContain("data:image");
  });

  it("includes nothing from a buffer that was briefly read through a symlink", async () => {
    const { chat, nvim, project, victim } = await inProject(program, [
      "--cmd",
      "autocmd BufReadPost notes.txt lua if _G.back then _G.back() end",
    ]);
    await using _chat = chat;
    const path = join(project, "notes.txt");
    await writeFile(path, "harmless\n");
    const told = await nvim.lua<Record<string, string>>(
      `local path, victim, root = ...
       _G.back = function()
         os.remove(path)
         vim.fn.writefile({ "harmless" }, path)
       end
       vim.api.nvim_create_autocmd("BufReadPre", {
         pattern = "notes.txt",
         callback = function()
           os.remove(path)
           vim.uv.fs_symlink(victim, path)
         end,
       })
       vim.cmd.enew()
       vim.cmd.edit(path)
       local tools = require("codex-chat.tools.buffers")
       local _, lsp = nil, ""
       require("codex-chat.tools.lsp").run(
         root,
         { action = "hover", path = "notes.txt", line = 1, symbol = "secret" },
         function(text, err) lsp = text or err end
       )
       local function modified()
         vim.api.nvim_buf_set_lines(0, -1, -1, false, { "more" })
         local text, err = tools.read_buffer(root, { path = "notes.txt" })
         return text or err
       end
       return {
         shown = vim.fn.getline(1),
         read = tools.read_buffer(root, { path = "notes.txt" }),
         line = tools.cursor(root),
         lsp = lsp,
         modified = modified(),
       }`,
      path,
      victim,
      project,
    );
    expect(told["shown"]).toContain("secret");
    expect(told["read"]).toBe("harmless");
    expect(told["line"]).not.toContain("a secret");
    expect(told["lsp"]).toContain("does not have secret");
    expect(told["modified"]).toContain("did not come from the project");
  });

  it.each([
    ["latin1", Buffer.from("caf\xe9\r\ncr\r\n", "latin1"), "café\ncr"],
    ["mixed line ends", Buffer.from("a\r\nb\nc"), "a\r\nb\nc"],
    ["a UTF-8 byte order mark", Buffer.from("\ufeffa\n\n"), "a\n"],
    ["UTF-16", Buffer.from("\ufeffé\nx\n", "utf16le"), "é\nx"],
    ["nothing", Buffer.from(""), ""],
  ])("includes a project buffer as the editor shows it: %s", async (_name, bytes, text) => {
    const { chat, nvim, project } = await inProject(program);
    await using _chat = chat;
    const path = join(project, "notes.txt");
    await writeFile(path, bytes);
    const told = await nvim.lua<string[]>(
      `local path, root = ...
       vim.cmd.enew()
       vim.cmd.edit(path)
       local tools = require("codex-chat.tools.buffers")
       local before = tools.read_buffer(root, { path = "notes.txt" })
       vim.api.nvim_buf_set_lines(0, -1, -1, false, { "more" })
       local after, err = tools.read_buffer(root, { path = "notes.txt" })
       return { before, after or err }`,
      path,
      project,
    );
    expect(told).toEqual([text, `${text}\nmore`]);
  });
});
