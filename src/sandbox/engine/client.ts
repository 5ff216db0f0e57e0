import { Agent } from "node:http";
import Docker from "dockerode";

/** A client of the engine at a unix socket: the socket's path, or its address as in DOCKER_HOST. */
export function engineClient(socket: string): Docker {
  // Explicit `host: undefined` because docker-modem otherwise prefers a tcp DOCKER_HOST.
  return new Docker({
    socketPath: socket.replace(/^unix:\/\//, ""),
    host: undefined,
    port: undefined,
    protocol: "http",
    // No keep-alive: kept connections break when the engine restarts, and new ones are cheap.
    agent: new Agent({ keepAlive: false }),
  } as Docker.DockerOptions);
}
