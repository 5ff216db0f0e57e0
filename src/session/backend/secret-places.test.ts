import { expect, it } from "vitest";
import { secretPlaces } from "./secret-places.ts";

it("names where the user's keys and the sockets of the user's agents are", () => {
  const env = {
    SSH_AUTH_SOCK: "/tmp/ssh-x/agent.1",
    TMUX: "/tmp/tmux-7/default,1,0",
    NVIM: "127.0.0.1:6666",
    GNUPGHOME: "/keys",
  };
  const places = secretPlaces(env, ["/home/me", "/account"], 7);
  expect(places).toEqual(
    expect.arrayContaining([
      "/home/me/.ssh",
      "/home/me/.gnupg",
      "/account/.ssh",
      "/keys",
      "/run/user/7",
      "/tmp/ssh-x/agent.1",
      "/tmp/tmux-7",
      "/var/run/docker.sock",
    ]),
  );
  expect(places.filter((place) => !place.startsWith("/"))).toEqual([]);
  expect(secretPlaces({ XDG_RUNTIME_DIR: "/my/run" }, [], 7)).toContain("/my/run");
});
