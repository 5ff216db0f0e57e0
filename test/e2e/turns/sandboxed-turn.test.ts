import { readFile, stat } from "node:fs/promises";
import { release } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { applyPatch, exec, message, reply } from "../../../src/offline/reply.ts";
import { neovims } from "../../support/neovim.ts";
import { Conversation, Place, ScriptedModel, SLOW } from "../support.ts";

describe.each(neovims)("a turn in Neovim $name", SLOW, (program) => {
  it("runs commands in gVisor and edits files as the user", async () => {
    await using place = await Place.make();
    await using model = await ScriptedModel.start();
    await using chat = await Conversation.open({ place, model, program });
    model.answerInTurn(
      reply(message("I look around."), exec("dmesg | head -n 1")),
      reply(exec("uname -a")),
      reply(exec("id -u; pwd; printenv SSL_CERT_FILE || echo all authorities")),
      reply(
        applyPatch(
          "*** Begin Patch\n*** Update File: hello.txt\n@@\n-Hello\n+Hello, world\n*** Add File: new.txt\n+made inside\n*** End Patch",
        ),
      ),
      reply(message("All done.")),
    );

    expect(await chat.ask("Look around, please.")).toEqual({ status: "completed" });

    const outputs = model.requests.at(-1)?.allOutputs() ?? [];
    expect(outputs[0]).toContain("Starting gVisor");
    expect(outputs[1]).toContain("Linux");
    expect(outputs[1]).not.toContain(release());
    expect(outputs[2]).toContain(`${process.getuid?.()}\n${place.project}\nall authorities\n`);
    // Codex itself has one, and so needs no time for the others.
    const codex = await place.inside(
      "cat /proc/[0-9]*/environ | tr '\\0' '\\n' | grep ^SSL_CERT | sort -u",
    );
    expect(codex.stdout).toBe("SSL_CERT_FILE=/opt/codex-chat/one-authority.pem\n");
    expect(await readFile(join(place.project, "hello.txt"), "utf8")).toBe("Hello, world\n");
    const made = await stat(join(place.project, "new.txt"));
    expect([made.uid, made.gid]).toEqual([process.getuid?.(), process.getgid?.()]);
    const body = (await chat.body())
      .replaceAll(/^Linux .*$/gm, "Linux …")
      .replaceAll(`${process.getuid?.()}\n${place.project}`, "UID\nPROJECT");
    expect(body).toMatchInlineSnapshot(`
      "## You

      Look around, please.

      ## Codex

      I look around.

      **Ran** \`dmesg | head -n 1\` · exit 0 · 0.1 s
      \`\`\`console output
      [    0.000000] Starting gVisor...
      \`\`\`

      **Ran** \`uname -a\` · exit 0 · 0.1 s
      \`\`\`console output
      Linux …
      \`\`\`

      **Ran** \`id -u; pwd; printenv SSL_CERT_FILE || echo all authorities\` · exit 0 · 0.1 s
      \`\`\`console output
      UID
      PROJECT
      all authorities
      \`\`\`

      **Edited** \`hello.txt\` · +1 −1
      \`\`\`diff patch
      @@ -1 +1 @@
      -Hello
      +Hello, world
      \`\`\`

      **Added** \`new.txt\` · +1
      \`\`\`diff patch
      +made inside
      \`\`\`

      All done.

      ## You
      "
    `);
    await chat.untilSaved();
  });
});
