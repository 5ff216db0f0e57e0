import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import * as z from "zod";
import type { Progress } from "../../log.ts";
import { parseJson } from "../../parse-json.ts";

/** How often npm reports, in milliseconds. */
const EVERY_MS = 250;

/**
 * Runs inside npm before npm itself, and counts the bytes of its answers as they come: npm tells
 * nobody. It writes a line to descriptor 3, at most one each `EVERY_MS`. After a failure npm asks
 * for the same path again, so only the last answer counts.
 */
const COUNTER = `
import { subscribe } from "node:diagnostics_channel";
import { writeSync } from "node:fs";
const answers = new Map();
let timer;
function report() {
  timer = undefined;
  const report = { bytes: 0, total: 0 };
  for (const { bytes, length } of answers.values()) {
    report.bytes += bytes;
    report.total += length;
  }
  try {
    writeSync(3, JSON.stringify(report) + "\\n");
  } catch {}
}
subscribe("http.client.response.finish", ({ request, response }) => {
  if (response.statusCode !== 200) return;
  const answer = { bytes: 0, length: Number(response.headers["content-length"]) };
  answers.set(request.path, answer);
  response.on("data", (chunk) => {
    answer.bytes += chunk.length;
    timer ??= setTimeout(report, ${EVERY_MS}).unref();
  });
});
`;

/** Options of Node with which npm counts what it downloads. */
export const COUNTING: readonly string[] = [
  `--import=data:text/javascript,${encodeURIComponent(COUNTER)}`,
];

/** `total` is null if an answer did not say how long it is. */
const Report = z.object({ bytes: z.number(), total: z.number().nullable() });

/** Passes on what a Node that was started with `COUNTING` has downloaded, from its descriptor 3. */
export function followDownload(reports: Readable, onProgress: (what: Progress) => void): void {
  let last = "";
  createInterface({ input: reports }).on("line", (line) => {
    const report = Report.safeParse(parseJson(line));
    if (!report.success) return;
    const { amount, percent } = amountOf(report.data);
    const text = `Downloading Codex, once: ${amount}${percent === undefined ? "" : ` (${percent})`}`;
    if (text === last) return;
    last = text;
    const shorter = [`Downloading Codex: ${amount}`, amount];
    onProgress({ text, shorter: percent === undefined ? shorter : [...shorter, percent] });
  });
}

function amountOf({ bytes, total }: z.infer<typeof Report>): {
  readonly amount: string;
  readonly percent?: string;
} {
  const done = megabytes(bytes);
  if (total === null || total < bytes) return { amount: `${done} MB` };
  return {
    amount: `${done} of ${megabytes(total)} MB`,
    percent: `${Math.floor((100 * bytes) / total)}%`,
  };
}

function megabytes(bytes: number): number {
  return Math.round(bytes / 1e6);
}
