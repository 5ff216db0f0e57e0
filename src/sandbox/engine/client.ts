import { Agent } from "node:http";
import Docker from "dockerode";

/** A client of the engine that listens on a unix socket. */
export function engineClient(socketPath: string): Docker {
  // Explicit `host: undefined` because docker-modem otherwise prefers a tcp DOCKER_HOST.
  return new Docker({
    socketPath,
    host: undefined,
    port: undefined,
    protocol: "http",
    // No keep-alive: kept connections break when the engine restarts, and new ones are cheap.
    agent: new Agent({ keepAlive: false }),
  } as Docker.DockerOptions);
}
