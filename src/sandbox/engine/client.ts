import { Agent } from "node:http";
import { inspect } from "node:util";
import Docker from "dockerode";

/**
 * Says only its name when it is written out: docker-modem (5.0) writes out each request for `debug`,
 * with the agent and all of its sockets, which costs more than the request.
 */
class QuietAgent extends Agent {
  [inspect.custom](): string {
    return "Agent";
  }
}

/** A client of the engine at a unix socket: the socket's path, or its address as in DOCKER_HOST. */
export function engineClient(socket: string): Docker {
  // Explicit `host: undefined` because docker-modem otherwise prefers a tcp DOCKER_HOST.
  return new Docker({
    socketPath: socket.replace(/^unix:\/\//, ""),
    host: undefined,
    port: undefined,
    protocol: "http",
    // No keep-alive: kept connections break when the engine restarts, and new ones are cheap.
    agent: new QuietAgent({ keepAlive: false }),
  } as Docker.DockerOptions);
}
