import { AllowList, type Target } from "../../egress/network/index.ts";

/** The most services that the relay offers; each has its own listener. */
export const MAX_LOCAL = 32;

/**
 * The services of this machine in `network.allow`, by a loopback address or as localhost, one per
 * port. Inside, each is reachable at the same port of `localhost`.
 */
export function localServices(allow: readonly string[]): readonly Target[] {
  const list = AllowList.parse(allow);
  const all = list.ok ? list.value.local : [];
  return [...new Map(all.map((service) => [service.port, service])).values()];
}

/** The developer message that tells Codex about its sandbox. */
export function aboutSandbox(allow: readonly string[]): string {
  const ports = localServices(allow).map(({ port }) => port);
  const only =
    ports.length === 0
      ? "Nothing that runs on the user's machine (a database, a dev server) is reachable at localhost: start what you need in here, or ask the user to allow it with `network.allow` (:help codex-chat-inside)."
      : `Of what runs on the user's machine, only these ports are reachable at localhost: ${ports.join(", ")}.`;
  return `You work in a sandbox that shares the project's files with the user's machine, and nothing else. ${only} File watchers in here see no changes that the user makes: use polling where that matters.`;
}
