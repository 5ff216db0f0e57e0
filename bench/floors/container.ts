import type Docker from "dockerode";
import { atEnd } from "../parts/cleanup.ts";
import { codexArgs, INITIALIZE } from "./codex.ts";

/**
 * How long `docker run` of the sandbox's image takes until the app-server in it answers, under the
 * same runtime and limits as the sandbox, and with nothing of the project.
 */
export async function containerStartMs(
  docker: Docker,
  like: Docker.ContainerInspectInfo,
): Promise<number> {
  const { HostConfig, Config } = like;
  const { Runtime, NetworkMode, CapDrop, SecurityOpt, ReadonlyRootfs, Tmpfs } = HostConfig;
  const { Memory, MemorySwap, PidsLimit } = HostConfig;
  const began = performance.now();
  const container = await docker.createContainer({
    Image: like.Image,
    Entrypoint: ["codex"],
    Cmd: codexArgs("http://127.0.0.1:9/v1"),
    User: Config.User,
    // CODEX_HOME is a directory of the project's.
    Env: Config.Env.filter((variable) => !variable.startsWith("CODEX_")),
    OpenStdin: true,
    AttachStdin: true,
    AttachStdout: true,
    HostConfig: {
      ...{ Runtime, NetworkMode, CapDrop, SecurityOpt, ReadonlyRootfs, Tmpfs },
      ...{ Memory, MemorySwap, PidsLimit },
      LogConfig: { Type: "none", Config: {} },
    },
  });
  const remove = atEnd(() => container.remove({ force: true }));
  try {
    const options = { stream: true, hijack: true, stdin: true, stdout: true, stderr: true };
    const stream = await container.attach(options);
    const answered = new Promise<void>((resolve, reject) => {
      let said = "";
      stream.on("data", (chunk: Buffer) => {
        said += chunk;
        if (said.includes('"result"')) resolve();
      });
      stream.on("end", () => reject(new Error(`the app-server ended: ${said}`)));
    });
    answered.catch(() => {});
    await container.start();
    stream.write(`${JSON.stringify(INITIALIZE)}\n`);
    await answered;
    return performance.now() - began;
  } finally {
    await remove();
  }
}
