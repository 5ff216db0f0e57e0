/**
 * A person who edits the prompt with all of Vim while Codex writes. Each run types the same keys into
 * two conversations, of which one gets frames meanwhile, takes it all back and brings it again, and
 * sends what stands there.
 *
 * By default always the same few. More, and others: `CODEX_CHAT_FUZZ_RUNS=200 npx vitest run test/nvim/prompt/prompt-fuzz.test.ts`.
 */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BufferMirror } from "../../../src/session/document/buffer-mirror.ts";
import { type Neovim, neovims, startNeovim } from "../../support/neovim.ts";
import { TestHost } from "../../support/test-host.ts";

const DEFAULT_RUNS = 6;
const RUNS = Number(process.env["CODEX_CHAT_FUZZ_RUNS"] ?? DEFAULT_RUNS);

/** Commands of the user's. `§` is a word, and at `¦` a frame may come in, in the middle of a command. */
const INSERTS = [
  // Insert mode.
  ...["A §", "A§¦ §¦", "o§¦", "O§", "I§ ¦", "i§<CR>§¦", "A<CR><CR>§", "i<BS>¦", "A<BS><BS>§"],
  ...["A§¦<C-u>", "A §¦<C-w>§¦", "a<C-w>¦<C-w>", "i<C-u>", "A§<Left><Left>¦x<Del><Del><Del>"],
  ...["R§¦<BS><BS>§", "gR§¦", "3A§¦x", "A§<C-n>¦<C-p>¦", "A§<C-x><C-n>¦<C-e>", "gi§"],
  ...["A§<C-v>¦u00e9¦", "A§<C-k>¦e:", "A§<C-r>=1+¦1<CR>¦", "i§<C-o>¦0§", "i§<C-o>¦dd§"],
  ...["c¦ip§¦", "cip§<CR>§¦", "cap§", "cc§¦", "S", "C§", "cw§¦", "ck§", "s§", "Vkc§¦", "gh¦§"],
  ...["<C-v>k¦I§¦z", "<C-v>k¦A§¦z", "<C-v>k$A¦§¦z", "<C-v>kkc¦§¦z", "<C-v>k<C-g>¦§¦z"],
].map((keys) => `${keys}<Esc>`);

const COMMANDS = [
  "0i<BS><BS><BS>§<Esc>",
  "Gi<C-u><C-u>§¦<Esc>",
  // Operators and text objects.
  ...["dd", "d¦d", "2dd", "dw", "db", "d¦b", "dip", "d¦ip", "dap", "d2k", "dk", "d¦k", "dj", "D"],
  ...["x", "X", "D", "J", "2J", "gJ", "3J", "~", "g~~", "gUip", ">>", ">¦G", ">ip", "<lt>ip"],
  ...["gqip", "gq¦ip", "gwip", "gww", "rX", "yyp", "yyP", "yip", "yap", "p", "P", "3p", "gp", "xp"],
  ...["ddp", "ddkP", '"byy', '"¦bp', '"bdw', "yiw", "viwp", "Vp", "gcip"],
  // Visual mode: by character, by line and by block.
  ...["v¦kd", "vk¦d", "Vk¦d", "Vj¦J", "V¦kJ", "vipd", "vip¦J", "Vky", "vky", "v¦iwp", "Vkp", "vkp"],
  ...["<C-v>k¦d", "<C-v>k¦y", "<C-v>kk$¦d", "<C-v>¦k$y", "V¦k>", "Vk=", "V¦kgq", "vk~", "Vk¦U"],
  ...["gv¦d", "gv<Esc>", "v¦o<Esc>", "<C-v>k¦r=", "ggVG¦<Esc>", "ggVGd", "ggdG"],
];

/** Ex commands, with what 'incsearch' and 'inccommand' show while they are typed. */
const EX = [
  ...["s/o/0/¦ge", "$?^## You?,$s/a¦/A/ge", "$?^## You?,$s/$/;¦/", "$?^## You?,$s/^/> ¦/"],
  ...["$?^## You?s/You/¦Me/", "$?^## You?s/.*/§/", "$?^## You?,$s/\\n/¦ /", "$?^## You?,$g/^/¦d"],
  ...[
    "$?^## You?+1,$g/^/m?^## You?",
    "$?^## You?,$d",
    "$?^## You?d",
    "$?^## You?join",
    "m-2",
    "t.¦",
  ],
  ...["$?^## You?,$join", "$?^## You?-1,$join!", "$?^## You?+1,$sort¦", "$?^## You?,$sort"],
  ...["$?^## You?m$", "$?^## You?t$", "$?^## You?t.", "$?^## You?m0", "m?^## You?", "-1,$>¦"],
  ...["$?^## You?+1,$!tac", "$?^## You?,$!sort -r", "normal A§", "normal dipA§"],
  ...["undojoin|normal A§", "undo 0", "$?^## You?,$&", "0r!echo one", "r!echo §", "-1r!echo §"],
  ...["put =['a','§']", "$?^## You?put! ='§'", "call nvim_put(['a','§'],'c',v:true,v:true)¦"],
  ...["call nvim_put(['a','§'],'l',v:false,v:true)", 'call nvim_paste("§\\n§\\n",v:true,-1)¦'],
  ...["$?^## You?,$normal A;", "undo", "earlier 3", "echo¦"],
].map((keys) => `:${keys}<CR>`);

const AT_HEADING = [
  ...["x", "X", "D", "J", "gJ", "dd", "cc§<Esc>", "C§<Esc>", "A§<Esc>", "I§<Esc>", "R§<Esc>"],
  ...["o§<Esc>", "A<Del><Del><Esc>", "i<BS><BS><Esc>", "i<CR><Esc>", "lli<CR>§<Esc>", "wcw§<Esc>"],
  ...["wdw", "dG", "d¦G", "vjd", "Vjd", "V¦jc§<Esc>", "kJ", "kgJ", "k2J", "kA<Del><Esc>", "kdd"],
  ...["k2dd", "kdj", "g~~", "yyjp", "ddjp", "ddp", "~", "p", "P", "<C-v>jd", "<C-v>¦jI§¦<Esc>"],
  ...["==", ">>", "rX", "gUU", "k¦vjjd"],
  ...["O§¦<Esc>", "O¦§<CR>¦§<Esc>", "yyP", "ko§¦<Esc>", "kI§¦ §<Esc>", "kO§<Esc>", ":pu!<CR>"],
].map((keys) => `G?^## You<CR>${keys}`);

const AROUND = [
  ...[".", "¦.", "2.", "u", "u", "¦u", "2u", "<C-r>", "<C-r>", "U", "uu<C-r>", "g-", "g+"],
  ...[
    "qaA§<Esc>q@a",
    "qa¦ddq@a",
    "@a",
    "@:",
    "&",
    "G",
    "G",
    "G0",
    "k",
    "j",
    "gg",
    "w",
    "b",
    "0",
    "$",
  ],
  ...[
    "m¦a",
    "`¦a",
    "/zz¦<Esc>",
    "z¦t",
    "f¦x",
    "g&",
    "g¦v",
    "gi§¦<Esc>",
    "zp",
    "yy¦zp",
    "g¦J",
    "g?ip",
  ],
  ...["A 7<Esc><C-a>", "A 7¦<Esc>3<C-x>", "Vkg<C-a>", "A§<C-k>¦a:<Esc>", "A§<C-o>¦~x<Esc>"],
  ...["i<C-o>¦p§<Esc>", "i§<C-o>¦u§<Esc>", "A§<C-o>:s/t/T/<CR>§<Esc>", "A§<C-v>x41¦<Esc>"],
  ...["A§<C-g>u§¦<Esc>", "A§<Home>§¦<Up>§<Esc>", 'A§<C-r>¦"<Esc>', 'A§<C-r><C-o>¦"§<Esc>'],
];

/** What the user does, and how many frames come in with it, at each place in turn and at its end. */
type Step = { readonly keys: string; readonly frames: readonly number[] };

const steps = fc.array(
  fc.record({
    keys: fc.oneof(
      { weight: 4, arbitrary: fc.constantFrom(...INSERTS) },
      { weight: 3, arbitrary: fc.constantFrom(...COMMANDS) },
      { weight: 2, arbitrary: fc.constantFrom(...EX) },
      { weight: 3, arbitrary: fc.constantFrom(...AT_HEADING) },
      { weight: 3, arbitrary: fc.constantFrom(...AROUND) },
    ),
    frames: fc.array(fc.integer({ min: 0, max: 2 }), { maxLength: 3 }),
  }),
  { minLength: 1, maxLength: 10 },
);

/** Stands below what streams in, as a command's output does below a text, and does not change. */
const TAIL = Array.from({ length: 12 }, (_, n) => `output ${n}`);

/** What frame `n` adds to the answer. */
const written = (n: number): string => `${n % 3 === 0 ? "\n" : " "}m${n}`;

const REGISTERS = `
  for register in ("abcdefghij0123456789-"):gmatch(".") do vim.fn.setreg(register, "") end
  vim.fn.setreg('"', "reg")
  vim.cmd("messages clear")`;

/** A conversation in which Codex is writing an answer. */
class Conversation {
  readonly #nvim: Neovim;
  readonly #host: TestHost;
  readonly #mirror: BufferMirror;
  readonly #head: readonly string[];
  readonly #streams: boolean;
  readonly #pending: Promise<unknown>[] = [];
  readonly buf: number;
  #frames = 0;
  #words = 0;
  #isCut = false;
  #isWhole = true;

  private constructor(
    nvim: Neovim,
    host: TestHost,
    parts: { buf: number; streams: boolean; mirror: BufferMirror; head: readonly string[] },
  ) {
    this.#nvim = nvim;
    this.#host = host;
    this.buf = parts.buf;
    this.#streams = parts.streams;
    this.#mirror = parts.mirror;
    this.#head = parts.head;
  }

  static async begin(nvim: Neovim, host: TestHost, streams: boolean): Promise<Conversation> {
    const opened = host.of("chat/open").length;
    await nvim.command("CodexChat new");
    const { buf } = await host.heard("chat/open", opened + 1);
    const head = (await nvim.lines(buf)).slice(0, 6);
    const mirror = await BufferMirror.follow(host.editor, buf, {
      onChange: () => {},
      onDetach: () => {},
    });
    if (!mirror.ok) throw new Error(mirror.error.message);
    const parts = { buf, streams, mirror: mirror.value, head };
    const conversation = new Conversation(nvim, host, parts);
    const sent = host.of("turn/send").length;
    // What was searched for, replaced, yanked and repeated last is the same at each start.
    await nvim.keys(":s/none/n/e<CR>/none<CR><Esc>:echo<CR>");
    await nvim.lua(REGISTERS);
    await nvim.keys("igo on<Esc><CR>");
    const { id } = await host.heard("turn/send", sent + 1);
    await host.editor.call.buf_set_edits(buf, [
      { op: "insert", id: "codex", after: id, lines: ["## Codex"], gap: 1 },
      { op: "insert", id: "text", after: "codex", lines: ["m0"], gap: 1 },
      { op: "insert", id: "tail", after: "text", lines: TAIL, gap: 1 },
    ]);
    return conversation;
  }

  /** Whether no frame came in after the text above the prompt was changed. */
  get isWhole(): boolean {
    return this.#isWhole;
  }

  /** The conversation with nothing in its prompt. */
  get untouched(): string[] {
    const answer = Array.from({ length: this.#frames }, (_, n) => written(n + 1)).join("");
    const said = ["## You", "", "go on", "", "## Codex", "", ...`m0${answer}`.split("\n")];
    return [...this.#head, ...said, "", ...TAIL, "", "## You", ""];
  }

  /** Frames that are not waited for: in the middle of `f` Neovim takes none. */
  #write(count: number): void {
    if (!this.#streams) return;
    for (let n = 0; n < count; n += 1) {
      this.#frames += 1;
      this.#isWhole &&= !this.#isCut;
      const edit = { op: "append", id: "text", text: written(this.#frames) } as const;
      this.#pending.push(this.#host.editor.call.buf_set_edits(this.buf, [edit]));
    }
  }

  async does(step: Step): Promise<void> {
    const keys = step.keys.replaceAll("§", () => {
      this.#words += 1;
      return `tok${this.#words}`;
    });
    for (const [n, part] of keys.split("¦").entries()) {
      if (n > 0) {
        // Not asked of Neovim's main loop, which is in the middle of a command.
        await this.#nvim.request("nvim_get_mode");
        this.#write(step.frames[n - 1] ?? 0);
      }
      await this.#nvim.keys(part);
    }
    await this.#settle();
    const top = this.untouched.slice(0, -TAIL.length - 3);
    this.#isCut ||=
      JSON.stringify((await this.lines()).slice(0, top.length)) !== JSON.stringify(top);
    this.#write(step.frames.at(-1) ?? 0);
    await this.#settle();
  }

  async #settle(): Promise<void> {
    let key = "<C-\\><C-n>";
    await expect
      .poll(async () => {
        await this.#nvim.keys(key);
        // Such as whether a range that is given backwards is to be swapped.
        key = "n<C-\\><C-n>";
        return this.#nvim.request("nvim_get_mode");
      })
      .toEqual({ mode: "n", blocking: false });
    const done = await Promise.all(this.#pending.splice(0));
    for (const answer of done) expect(answer).toEqual({ ok: true, value: { ok: true } });
    await this.#nvim.until("#require('codex-chat.registry').get(0).delayed", 0);
  }

  lines(): Promise<string[]> {
    return this.#nvim.lines(this.buf);
  }

  /** Takes back all that was typed, and brings it again. */
  async undoAll(): Promise<void> {
    const typed = await this.lines();
    let count = 0;
    let lines = typed;
    for (;;) {
      await this.#nvim.keys("u");
      await this.#nvim.lua("return 1");
      const after = await this.lines();
      if (JSON.stringify(after) === JSON.stringify(lines)) break;
      lines = after;
      count += 1;
    }
    if (!(await this.#nvim.messages()).includes("cannot be taken back")) {
      // What came in while its place was deleted stands beside it.
      if (this.#isWhole) expect(lines).toEqual(this.untouched);
      const words = (text: readonly string[]) =>
        text.join(" ").split(/\s+/).filter(Boolean).toSorted();
      expect(words(lines)).toEqual(words(this.untouched));
    }
    if (count > 0) await this.#nvim.keys(`${count}<C-r>`);
    await this.#nvim.lua("return 1");
    // A deletion of what Codex has written on since is not brought again.
    if ((await this.#nvim.messages()).includes("cannot be taken back")) return;
    expect(await this.lines()).toEqual(typed);
  }

  /** Sends what stands in the prompt; gives what the host was told, "" where there was nothing. */
  async send(): Promise<string> {
    const lines = await this.lines();
    await expect.poll(() => this.#mirror.text()).toBe(`${lines.join("\n")}\n`);
    const seen = belowHeading(lines);
    if (seen === "") return "";
    const before = this.#host.of("turn/send").length;
    await this.#nvim.keys("<CR>");
    const { text } = await this.#host.heard("turn/send", before + 1);
    expect(text).toBe(seen);
    // The front matter may have been put into the prompt; its time is another in each conversation.
    return text.replaceAll(this.#head[3] ?? "", "created");
  }

  close(): void {
    this.#mirror.close();
  }
}

/** What a person would say stands in the prompt. */
function belowHeading(lines: readonly string[]): string {
  const heading = lines.findLastIndex((line) => /^## You\s*$/.test(line));
  expect(heading).toBeGreaterThanOrEqual(0);
  const text = lines.slice(heading + 1);
  while (text.length > 0 && text[0]?.trim() === "") text.shift();
  while (text.length > 0 && text.at(-1)?.trim() === "") text.pop();
  return text.join("\n");
}

describe.each(neovims)("the prompt on Neovim $name", (program) => {
  it(
    "can be edited with all of Vim while Codex writes, and is sent as it stands",
    async () => {
      await using host = await TestHost.start();
      const config = { host_cmd: host.command, window: { startinsert: false } };
      const screen = { columns: 100, rows: 40 };
      await using nvim = await startNeovim({ program, config, screen });
      // No prompt for what Ex commands say, at which Neovim would wait.
      await nvim.command("set nomore cmdheight=10 shortmess+=aToOtTIcCF");
      await fc.assert(
        fc.asyncProperty(steps, async (run) => {
          const sent: string[] = [];
          let isWhole = true;
          for (const streams of [false, true]) {
            const conversation = await Conversation.begin(nvim, host, streams);
            for (const step of run) await conversation.does(step);
            await conversation.undoAll();
            sent.push(await conversation.send());
            isWhole &&= conversation.isWhole;
            conversation.close();
          }
          const copied = run.some(({ keys }) => /[pPyt@.&]/.test(keys));
          // An answer that is copied into the prompt has what came in by then.
          const came = copied ? /\s*\bm[1-9]\d*\b/g : /$^/g;
          // Where frames have come in after the answer was deleted, a command that reaches above the
          // prompt finds other text there.
          if (isWhole) expect(sent[1]?.replaceAll(came, "")).toBe(sent[0]?.replaceAll(came, ""));
          if (!copied) expect(sent[0]).not.toMatch(/\b(m\d|output|Codex)/);
        }),
        RUNS === DEFAULT_RUNS ? { numRuns: RUNS, seed: 14 } : { numRuns: RUNS },
      );
    },
    60_000 + RUNS * 20_000,
  );
});
