import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Reply } from "./reply.ts";
import { ModelRequest } from "./request.ts";

/** Answers the n-th request of a server, counted from 0. */
export type ModelScript = (request: ModelRequest, n: number) => Reply | Promise<Reply>;

/** A request as received, for tests that check what was sent. */
export type RecordedRequest = {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
};

/** A running scripted model. */
export type ModelServer = {
  /** Its base URL, such as `http://127.0.0.1:40123/v1`. */
  readonly url: string;
  readonly requests: readonly RecordedRequest[];
  readonly close: () => Promise<void>;
};

/**
 * Starts a server for the Responses API over HTTP and server-sent events that answers from a script
 * instead of a model. It listens on loopback only.
 */
export async function startModelServer(options: {
  readonly script: ModelScript;
  readonly port?: number;
  /** Whether requests are kept, which is the default; a server of hours has no room for them. */
  readonly isRecording?: boolean;
}): Promise<ModelServer> {
  const requests: RecordedRequest[] = [];
  let count = 0;
  const server = createServer((incoming, response) => {
    const chunks: Buffer[] = [];
    incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
    incoming.on("end", () => {
      const body = Buffer.concat(chunks).toString("utf8");
      const { method = "", url = "", headers } = incoming;
      const n = count++;
      if (options.isRecording !== false) requests.push({ method, path: url, headers, body });
      if (method !== "POST" || url !== "/v1/responses") {
        response.writeHead(404).end();
        return;
      }
      void answer(response, options.script, body, n);
    });
  });
  server.listen(options.port ?? 0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    requests,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

async function answer(
  response: ServerResponse,
  script: ModelScript,
  body: string,
  n: number,
): Promise<void> {
  const gone = new AbortController();
  response.on("close", () => gone.abort());
  try {
    const reply = await script(new ModelRequest(body), n);
    if (reply.status !== undefined) response.writeHead(reply.status, reply.headers);
    else response.writeHead(200, { "content-type": "text/event-stream", ...reply.headers });
    for await (const step of reply.steps(`resp_${n}`, gone.signal)) {
      if (gone.signal.aborted) return;
      if (step.type === "cut") {
        // Everything written so far must arrive before the connection breaks.
        response.write("", () => response.destroy());
        return;
      }
      if (!response.write(step.text)) await once(response, "drain", { signal: gone.signal });
    }
    response.end();
  } catch (error) {
    if (!gone.signal.aborted) response.destroy(error instanceof Error ? error : undefined);
  }
}
