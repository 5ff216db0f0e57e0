import { stripVTControlCharacters } from "node:util";
import * as z from "zod";
import { parseJson } from "../../parse-json.ts";

/** How many lines of a failed build are kept for its message. */
const KEPT_LINES = 20;
/** A line of a build is cut here; apt and compilers write longer ones. */
const LINE_MAX = 300;

/** A message of the engine's build stream; others (pull progress, the image's id) are ignored. */
const BuildMessage = z.object({
  stream: z.string().optional(),
  status: z.string().optional(),
  id: z.string().optional(),
  error: z.string().optional(),
  errorDetail: z.object({ message: z.string().optional() }).optional(),
});

/** How a build ended: `error` is the engine's reason if it failed. */
export type BuildEnd = { readonly error?: string; readonly lastLines: readonly string[] };

/**
 * Reads the engine's progress stream (one JSON object a line) to its end and passes on each line
 * of output. A stream that breaks off is a failure.
 *
 * SECURITY: the lines come from programs; control characters are taken out.
 */
export async function followBuild(
  stream: AsyncIterable<string | Buffer>,
  onLine: (line: string) => void,
  signal?: AbortSignal,
): Promise<BuildEnd> {
  const lastLines: string[] = [];
  let error: string | undefined;
  const say = (text: string) => {
    for (const raw of text.split(/[\r\n]+/)) {
      const line = plain(raw);
      if (line === "") continue;
      lastLines.push(line);
      if (lastLines.length > KEPT_LINES) lastLines.shift();
      onLine(line);
    }
  };
  try {
    for await (const line of lines(stream)) {
      signal?.throwIfAborted();
      const message = BuildMessage.safeParse(parseJson(line));
      if (!message.success) continue;
      const { stream: output, status, id } = message.data;
      if (output !== undefined) say(output);
      // A pull reports progress many times a second for each layer; only its steps are passed on.
      else if (status !== undefined && !/^(Downloading|Extracting|Waiting)/.test(status)) {
        say(id === undefined ? status : `${id}: ${status}`);
      }
      error ??= message.data.errorDetail?.message ?? message.data.error;
    }
  } catch (cause) {
    signal?.throwIfAborted();
    error ??= `the engine broke off the build (${cause instanceof Error ? cause.message : cause})`;
  }
  return error === undefined ? { lastLines } : { error: plain(error), lastLines };
}

function plain(text: string): string {
  return stripVTControlCharacters(text)
    .replace(/\p{Cc}+/gu, " ")
    .trimEnd()
    .slice(0, LINE_MAX);
}

async function* lines(stream: AsyncIterable<string | Buffer>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of stream) {
    rest += typeof chunk === "string" ? chunk : decoder.decode(chunk, { stream: true });
    const complete = rest.split("\n");
    rest = complete.pop() ?? "";
    yield* complete;
  }
  if (rest !== "") yield rest;
}
