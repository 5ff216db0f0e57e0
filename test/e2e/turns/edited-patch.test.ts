import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { applyPatch, message, reply } from "../../../src/offline/reply.ts";
import { SLOW, share, WAIT } from "../support.ts";

const PATCH = `*** Begin Patch
*** Update File: a.txt
@@
 one
-two
+TWO
 three
*** Update File: crlf.txt
@@
 one
-two
+TWO
*** Add File: b.txt
+b
*** End Patch`;

describe("a patch that Codex asks about", SLOW, () => {
  const shared = share({ git: false, config: { approvals: "untrusted" } });
  beforeEach(async () => {
    writeFileSync(join(shared().place.project, ".envrc"), "one\n");
    await shared().chat.startAnew();
  });

  it("is applied as the user has edited it, and Codex knows; undoing the turn takes it back", async () => {
    const { chat, model, place } = shared();
    const { nvim } = chat;
    const at = (name: string) => join(place.project, name);
    const read = () => readFileSync(at("a.txt"), "utf8");
    writeFileSync(at("a.txt"), "one\ntwo\nthree\n");
    writeFileSync(at("crlf.txt"), "one\r\ntwo\r\nthree");
    model.answerInTurn(reply(applyPatch(PATCH)), reply(message("I see.")));
    await chat.send("Patch.");
    await chat.waitForQuestion();

    await chat.answer("e");
    await expect.poll(() => nvim.lua("return vim.wo.diff")).toBe(true);
    expect(await nvim.lines()).toEqual(["one", "TWO", "three"]);
    await nvim.keys("ggjccmine<Esc>gy");

    expect(await chat.waitForTurnEnd()).toEqual({ status: "completed" });
    expect(read()).toBe("one\nmine\nthree\n");
    expect(readFileSync(at("b.txt"), "utf8")).toBe("b\n");
    // As Codex itself would have written it.
    expect(readFileSync(at("crlf.txt"), "utf8")).toBe("one\r\nTWO\r\nthree\r\n");
    const told = model.requests.at(-1)?.userTexts().join("\n") ?? "";
    expect(told).toContain("The user changed your patch");
    expect(told).toContain("-two\n+mine\n");
    expect(model.requests.at(-1)?.allOutputs().join()).toContain("rejected by user");
    const text = await chat.text();
    expect(text).toContain("**Declined** to edit `a.txt` · +1 −1 · applied as you changed it");
    expect(text).toContain("**Edited** `a.txt` · +1 −1 · as you changed it");
    expect(text).toContain("+mine");
    expect(text).not.toContain("message from elsewhere");

    await chat.command("undo");
    await expect.poll(read).toBe("one\ntwo\nthree\n");
    await expect.poll(() => existsSync(at("b.txt"))).toBe(false);
  });

  it("can only be viewed if it changes a file that Codex may not write", async () => {
    const { chat, model, place } = shared();
    const { nvim } = chat;
    const protectedPatch = "*** Begin Patch\n*** Update File: .envrc\n-one\n+two\n*** End Patch";
    model.answerInTurn(reply(applyPatch(protectedPatch)), reply(message("I see.")));
    await chat.send("Patch.");
    await chat.waitForQuestion();

    await chat.answer("e");
    await expect.poll(() => nvim.lines(), WAIT).toContain("it is read-only for Codex.");
    expect(await nvim.lua("return vim.bo.modifiable")).toBe(false);
    await nvim.keys("gy");

    expect(await chat.waitForTurnEnd()).toEqual({ status: "completed" });
    expect(readFileSync(join(place.project, ".envrc"), "utf8")).toBe("one\n");
  });
});
