import { expect, it } from "vitest";
import { userEnvironment } from "./user.ts";

it("is the user's own, and has nothing of the user who started the run", () => {
  const theirs = {
    HOME: "/root",
    USER: "root",
    LOGNAME: "root",
    TMPDIR: "/root/tmp",
    XDG_RUNTIME_DIR: "/run/user/0",
    XDG_CONFIG_HOME: "/root/.config",
    SSH_AUTH_SOCK: "/root/agent",
    SUDO_USER: "somebody",
    GIT_CONFIG_GLOBAL: "/root/gitconfig",
    npm_config_cache: "/root/.npm",
  };
  const env = userEnvironment({ ...theirs, CI: "true", CODEX_CHAT_ENGINE: "unix:///e" }, "/run/u");
  expect(env).toMatchObject({ CI: "true", CODEX_CHAT_ENGINE: "unix:///e", HOME: "/run/u/home" });
  expect(Object.values(env).filter((value) => /root|somebody|user\/0/.test(value))).toEqual([]);
});
