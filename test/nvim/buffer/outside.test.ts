/** A conversation's file as others change it, with the real host: no sandbox is needed for that. */
import {
  chmod,
  mkdir,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { execa } from "execa";
import { describe, expect, it } from "vitest";
import { type Neovim, neovims, startNeovim } from "../../support/neovim.ts";

const WAIT = { timeout: 15_000, interval: 25 };
const THREAD = "0199a1b2-0000-7000-8000-000000000001";

function conversation(project: string, answer: string, prompt = ""): string {
  const head = ["---", "codex-chat: 1", `thread: ${THREAD}`, `project: ${project}`, "---", ""];
  const body = ["## You", "", "A question.", "", "## Codex", "", answer, "", "## You", prompt];
  return `${[...head, ...body].join("\n")}\n`;
}

describe.each(neovims)(
  "a conversation file that other programs change, on Neovim $name",
  (program) => {
    /** A Neovim with a conversation of the project's own directory `notes` open in it. */
    async function opened(text?: (project: string) => string) {
      const config = {
        history_dir: "notes",
        node: process.execPath,
        sandbox: { engine: "unix:///nonexistent/docker.sock" },
      };
      const nvim = await startNeovim({ program, config, screen: { columns: 100, rows: 30 } });
      const notes = join(nvim.cwd, "notes");
      const path = join(notes, "2026-01-02-101112.md");
      await mkdir(notes);
      await writeFile(path, (text ?? ((root) => conversation(root, "An answer.")))(nvim.cwd));
      await nvim.lua("_G.said = {}; vim.notify = function(m) table.insert(_G.said, m) end");
      await nvim.command("CodexChat");
      await attached(nvim);
      expect(await nvim.lua("return vim.api.nvim_buf_get_name(0)")).toBe(path);
      return { nvim, notes, path };
    }
    const attached = (nvim: Neovim) =>
      nvim.until("require('codex-chat.registry').get(0).host", "attached");
    const said = (nvim: Neovim) => nvim.lua<string[]>("return _G.said");
    const copies = (notes: string) => readdir(join(notes, "copies")).catch(() => [] as string[]);
    /** Puts another text into the file and one more line into the buffer, before anybody looks. */
    const both = (nvim: Neovim, path: string, text: string, line: string) =>
      nvim.lua(
        `local path, text, line = ...
       local file = assert(io.open(path, "w")); file:write(text); file:close()
       vim.api.nvim_buf_set_lines(0, -1, -1, false, { line })`,
        path,
        text,
        line,
      );

    it("is reloaded when git replaces its text, and then accepts typed text", async () => {
      const { nvim, notes, path } = await opened();
      await using _nvim = nvim;
      const git = (...args: string[]) =>
        execa("git", ["-c", "user.name=a", "-c", "user.email=a@b", ...args], { cwd: nvim.cwd });
      await rm(join(nvim.cwd, ".git"), { recursive: true });
      await git("init", "-q", "-b", "main");
      await git("add", ".");
      await git("commit", "-qm", "one");
      await git("switch", "-qc", "other");
      const other = conversation(nvim.cwd, "What the other branch says, and it is another text.");
      await writeFile(path, other);
      await git("commit", "-qam", "two");
      await expect.poll(() => nvim.lines(), WAIT).toContain(other.split("\n")[12]);
      await git("switch", "-q", "main");
      await expect.poll(() => nvim.lines(), WAIT).toContain("An answer.");
      await git("switch", "-q", "other");
      await expect.poll(() => nvim.lines(), WAIT).toContain(other.split("\n")[12]);
      expect((await said(nvim)).at(-1)).toContain(
        "was changed by another program and was read again",
      );
      await attached(nvim);
      await nvim.keys("<Esc>GAtyped");
      await expect
        .poll(() => readFile(path, "utf8"), WAIT)
        .toBe(conversation(nvim.cwd, other.split("\n")[12] ?? "", "typed"));
      expect(await copies(notes)).toEqual([]);
    });

    it("is kept as a copy if both sides have changed, and the command in the message shows it", async () => {
      const { nvim, notes, path } = await opened();
      await using _nvim = nvim;
      const other = conversation(nvim.cwd, "Another answer.");
      await both(nvim, path, other, "typed here");
      await expect.poll(() => readFile(path, "utf8"), WAIT).toContain("An answer.");
      const text = `${(await nvim.lines()).join("\n")}\n`;
      expect(await readFile(path, "utf8")).toBe(text);
      expect(text).toContain("typed here");
      expect(await copies(notes)).toEqual([basename(path)]);
      expect(await readFile(join(notes, "copies", basename(path)), "utf8")).toBe(other);
      await expect.poll(() => said(nvim), WAIT).toHaveLength(1);
      const [, command] = /kept: :(.*)$/.exec((await said(nvim))[0] ?? "") ?? [];
      await nvim.keys("<Esc>");
      await nvim.command(command ?? "");
      await nvim.until("vim.fn.winnr('$')", 3);
      expect(await nvim.lines()).toContain("Another answer.");
      expect(await nvim.lua("return vim.wo.diff")).toBe(true);
      expect(await readFile(path, "utf8")).toBe(text);
    });

    it("does not count as changed by others if Lua itself wrote it while the host was starting", async () => {
      const { nvim, notes, path } = await opened();
      await using _nvim = nvim;
      await nvim.lua(
        `local chat = require("codex-chat.registry").get(0)
       vim.api.nvim_buf_set_lines(0, -1, -1, false, { "one" })
       chat.host = "asked"
       require("codex-chat.chat.write").save(chat)
       vim.api.nvim_buf_set_lines(0, -1, -1, false, { "two" })
       chat.host = "attached"`,
      );
      await expect.poll(() => readFile(path, "utf8"), WAIT).toContain("two");
      expect(await copies(notes)).toEqual([]);
      expect(await said(nvim)).toEqual([]);
    });

    it("is reloaded when git restores a text that was read or written here before", async () => {
      const { nvim, notes, path } = await opened();
      await using _nvim = nvim;
      const first = await readFile(path, "utf8");
      const holds = (text: string) =>
        expect.poll(() => readFile(path, "utf8"), WAIT).toContain(text);
      await nvim.keys("one");
      await holds("one");
      const second = await readFile(path, "utf8");
      await nvim.keys(" two");
      await holds("one two");
      for (const text of [second, first]) {
        await writeFile(path, text);
        await expect.poll(async () => `${(await nvim.lines()).join("\n")}\n`, WAIT).toBe(text);
        expect(await readFile(path, "utf8")).toBe(text);
      }
      expect(await copies(notes)).toEqual([]);
    });

    it("receives what was typed into a new conversation before the host attached", async () => {
      const { nvim } = await opened();
      await using _nvim = nvim;
      await nvim.keys("<Esc>");
      await nvim.lua(
        "vim.cmd('CodexChat new') vim.api.nvim_buf_set_lines(0, -1, -1, false, { 'at once' })",
      );
      await attached(nvim);
      const path = await nvim.lua<string>("return vim.api.nvim_buf_get_name(0)");
      await expect.poll(() => readFile(path, "utf8").catch(() => ""), WAIT).toContain("at once");
    });

    it("fills a new conversation of the same name, and is not overwritten by it", async () => {
      const { nvim, notes } = await opened();
      await using _nvim = nvim;
      await nvim.keys("<Esc>");
      await nvim.command("CodexChat new");
      await attached(nvim);
      const path = await nvim.lua<string>("return vim.api.nvim_buf_get_name(0)");
      const text = conversation(nvim.cwd, "An answer that was never read.");
      await writeFile(path, text);
      await expect.poll(() => nvim.lines(), WAIT).toContain("An answer that was never read.");
      await attached(nvim);
      await nvim.keys("<Esc>GAtyped");
      await expect.poll(() => readFile(path, "utf8"), WAIT).toContain("typed");
      expect(await readFile(path, "utf8")).toContain("An answer that was never read.");
      expect(await copies(notes)).toEqual([]);
    });

    it("is compared by Lua as well if no host writes it", async () => {
      const { nvim, notes, path } = await opened();
      await using _nvim = nvim;
      await nvim.keys("<Esc>");
      process.kill(await nvim.lua<number>("return require('codex-chat.host').pid()"), "SIGKILL");
      await nvim.until("require('codex-chat.registry').get(0).host", "lost");
      const other = conversation(nvim.cwd, "Another answer.");
      // Nothing is unsaved: it is read again when Neovim gets the focus.
      await writeFile(path, other);
      await nvim.command("doautocmd FocusGained");
      expect(await nvim.lines()).toContain("Another answer.");
      expect(await copies(notes)).toEqual([]);
      const third = conversation(nvim.cwd, "A third answer.");
      await both(nvim, path, third, "typed here");
      await nvim.command("write");
      expect(await readFile(path, "utf8")).toContain("typed here");
      expect(await readFile(join(notes, "copies", basename(path)), "utf8")).toBe(third);
      expect((await said(nvim)).at(-1)).toMatch(/kept: :vertical diffsplit/);
    });

    it("is loaded by :edit!, and the unsaved text is kept", async () => {
      const { nvim, notes, path } = await opened();
      await using _nvim = nvim;
      await nvim.keys("<Esc>");
      const other = conversation(nvim.cwd, "Another answer.");
      await nvim.lua(
        `local path, text = ...
       vim.api.nvim_buf_set_lines(0, -1, -1, false, { "typed here" })
       local file = assert(io.open(path, "w")); file:write(text); file:close()
       vim.cmd("edit!")`,
        path,
        other,
      );
      expect(`${(await nvim.lines()).join("\n")}\n`).toBe(other);
      await attached(nvim);
      await nvim.keys("GAmore");
      await expect.poll(() => readFile(path, "utf8"), WAIT).toContain("more");
      expect(await readFile(path, "utf8")).toContain("Another answer.");
      const kept = await Promise.all(
        (await copies(notes)).map((name) => readFile(join(notes, "copies", name), "utf8")),
      );
      expect(kept.some((copy) => copy.includes("typed here") && copy.includes("An answer."))).toBe(
        true,
      );
    });

    it.each([
      ["a link", (path: string) => rm(path).then(() => symlink("/etc/passwd", path)), "is a link"],
      ["a directory", (path: string) => rm(path).then(() => mkdir(path)), "is not a plain file"],
      [
        "nothing, together with its directory",
        (path: string) => rename(dirname(path), `${dirname(path)}.away`),
        "its directory is gone",
      ],
    ])(
      "is reported when replaced by %s, and written once that is gone",
      async (_name, make, why) => {
        const { nvim, path } = await opened();
        await using _nvim = nvim;
        await make(path);
        await nvim.keys("<Esc>GAtyped");
        await expect.poll(async () => (await said(nvim)).join(), WAIT).toContain(why);
        await rm(path, { recursive: true, force: true });
        await mkdir(dirname(path), { recursive: true });
        await expect.poll(() => readFile(path, "utf8").catch(() => ""), WAIT).toContain("typed");
        expect(await readFile(path, "utf8")).toContain("An answer.");
      },
    );

    it("is written with the whole text if it was removed or is read-only", async () => {
      const { nvim, path } = await opened();
      await using _nvim = nvim;
      await chmod(path, 0o400);
      await nvim.keys("<Esc>GAone");
      await expect.poll(() => readFile(path, "utf8"), WAIT).toContain("one");
      expect((await stat(path)).mode & 0o777).toBe(0o400);
      await rm(path);
      await nvim.keys("two");
      await expect.poll(() => readFile(path, "utf8").catch(() => ""), WAIT).toContain("two");
      expect(await readFile(path, "utf8")).toContain("An answer.");
      expect(await said(nvim)).toEqual([]);
    });

    it.each([
      ["ggdG", "all of it"],
      [":%delete _<CR>", "all of it"],
      [":%!true<CR>", "all of it"],
      ["ggdap", "its front matter"],
      [":2,3delete<CR>", "part of its front matter"],
      [":1,4s/: /: [{: /<CR>", "nothing, but breaks the YAML of the front matter"],
    ])("keeps its thread id when %s deletes %s", async (keys) => {
      const { nvim, notes, path } = await opened();
      await using _nvim = nvim;
      await nvim.keys(`<Esc>${keys}`);
      await nvim.keys("Gotyped");
      await expect.poll(() => readFile(path, "utf8"), WAIT).toContain("typed");
      await nvim.keys("<Esc>:qall!<CR>");
      await nvim.exited;
      const text = await readFile(path, "utf8");
      expect(text).toMatch(new RegExp(`^---\\n[\\s\\S]*^thread: ${THREAD}$[\\s\\S]*^---$`, "m"));
      expect(text).toContain(`project: ${nvim.cwd}\n`);
      // What was said is somewhere, too.
      const kept = await Promise.all(
        (await copies(notes)).map((name) => readFile(join(notes, "copies", name), "utf8")),
      );
      expect([text, ...kept].some((copy) => copy.includes("An answer."))).toBe(true);
      await using again = await startNeovim({
        program,
        home: nvim.home,
        cwd: nvim.cwd,
        config: { history_dir: "notes", node: process.execPath },
      });
      await again.command("CodexChat");
      expect(await again.lua("return vim.api.nvim_buf_get_name(0)")).toBe(path);
      expect(await again.lines()).toContain(`thread: ${THREAD}`);
    });

    it("is named once, however often sending fails", async () => {
      const { nvim, notes } = await opened(() => "");
      await using _nvim = nvim;
      for (const query of ["first words", "second words", "third words"]) {
        await nvim.keys(`<Esc>Go${query}<C-s>`);
        await expect
          .poll(async () => (await nvim.lines()).join("\n"), WAIT)
          .toMatch(new RegExp(`${query}\\n[\\s\\S]*Error`));
        await expect
          .poll(async () => (await readdir(notes)).filter((name) => name.endsWith(".md")), WAIT)
          .toEqual(["2026-01-02-first-words.md"]);
        await nvim.until(
          "vim.fs.basename(vim.api.nvim_buf_get_name(0))",
          "2026-01-02-first-words.md",
        );
      }
    });
  },
);
