import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { exec, message, reply } from "../../../src/offline/reply.ts";
import { LABELS } from "../../../src/sandbox/container/labels.ts";
import { Conversation, Place, ScriptedModel, SLOW } from "../support.ts";

const TOOLS = `ARG CODEX_CHAT_IMAGE
FROM $CODEX_CHAT_IMAGE
RUN mkdir /opt/tools && printf '#!/bin/sh\\necho my tool' > /opt/tools/tool && chmod +x /opt/tools/tool
RUN echo 'export FROM_PROFILE=read' > /etc/profile.d/mine.sh
ENV PATH=/opt/tools:$PATH
LABEL codex-chat.test=toolchain
`;

it(
  "a project's own toolchain is built once the user has allowed it, and stays in the allowed version",
  SLOW,
  async () => {
    await using place = await Place.make();
    await using model = await ScriptedModel.start();
    const path = join(place.project, "sandbox.Dockerfile");
    await writeFile(path, TOOLS);
    onTestFinished(async () => {
      const filters = { label: ["codex-chat.test=toolchain", `${LABELS.plugin}=1`] };
      for (const { Id } of await place.docker.listImages({ filters }))
        await place.docker
          .getImage(Id)
          .remove({ force: true })
          .catch(() => {});
    });
    await using chat = await Conversation.open({
      place,
      model,
      config: { sandbox: { dockerfile: "sandbox.Dockerfile" } },
    });
    const end = await chat.ask("Use the tool.");
    expect(end).toMatchObject({ status: "failed", failure: { kind: "dockerfile_unknown" } });
    expect(await place.containers()).toEqual([]);
    const hash = /sandbox allow ([0-9a-f]{64})/.exec(await chat.text())?.[1];

    await chat.command(`sandbox allow ${hash}`);
    await expect
      .poll(() => chat.notifications())
      .toContainEqual(expect.stringContaining("is allowed"));
    model.answerInTurn(
      reply(exec("tool; echo profile: $FROM_PROFILE; echo 'FROM evil' > sandbox.Dockerfile")),
      reply(message("Done.")),
      reply(message("Again.")),
    );
    expect(await chat.ask("Use the tool.")).toEqual({ status: "completed" });
    expect(model.requests.at(-1)?.allOutputs()[0]).toContain("my tool\nprofile: read\n");
    expect(await readFile(join(place.state, "host.log"), "utf8")).toMatch(/"line":"Step 1\/\d+ : /);

    await chat.command("sandbox stop");
    await expect.poll(() => place.containers()).toEqual([]);
    expect(await chat.ask("Again.")).toEqual({ status: "completed" });
    expect(await chat.text()).toContain("has changed since you allowed it");
    expect((await place.inside("tool")).stdout).toBe("my tool\n");
  },
);
