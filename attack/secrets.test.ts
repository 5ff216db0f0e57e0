/**
 * Secrets: to get at the key. The control is a container that has it as one usually gives it, or a
 * way out that passes on what the endpoint says.
 */

import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { err, ok } from "../src/result.ts";
import { type Attempt, attempt, group, type Verdict, verdict } from "./catalogue.ts";
import { fortress, type Ran, weakened } from "./support/containers.ts";
import { freshDir, hostPlace, lazily } from "./support/places.ts";
import { KEY } from "./support/victims.ts";
import { naiveWayOut, productWayOut, type WayOut } from "./support/way-out.ts";
import { duringTurn, whole } from "./support/whole.ts";

/** Somewhere to look for the key; the script gets a pattern that does not match itself. */
type Search = { readonly look: (script: string) => Promise<Ran> };

const PATTERN = `${KEY.slice(0, -1)}[${KEY.at(-1)}]`;

const conversation = whole({ env: { OPENAI_API_KEY: KEY } });

/** The whole product in a turn, Codex and all. */
const product = async (): Promise<Search> => {
  const setup = await conversation();
  const { place, model } = setup;
  return {
    look: async (script) => {
      const found = await duringTurn(setup, () =>
        place.inside(`set -- '${PATTERN}' '${place.project}'; ${script}`),
      );
      // It was in use at that time, or there was nothing to be found.
      const used = model.recorded.some((request) => request.headers.authorization?.includes(KEY));
      if (!used) throw new Error("the model was called without the key");
      return found;
    },
  };
};

/** A container that was given the key in its environment, an argument and a file. */
const control = lazily(async (): Promise<Search> => {
  const dir = join(await freshDir("key"), "project");
  await mkdir(dir);
  await writeFile(join(dir, "auth.json"), JSON.stringify({ OPENAI_API_KEY: KEY }));
  const inside = await weakened({
    runtime: "runc",
    mounts: [dir],
    env: { OPENAI_API_KEY: KEY },
    weaken: (options) => options,
  });
  const agent = await inside.start({
    argv: ["node", "-e", "setInterval(() => {}, 1000)", "--", `--api-key=${KEY}`],
  });
  agent.stdout.resume();
  agent.stderr.resume();
  return { look: (script) => inside.sh(script, { args: [PATTERN, dir] }) };
});

function findsNothing(name: string, tries: string, script: string): Attempt {
  return attempt<Search>({
    name,
    tries,
    mustHappen: "the key is not there",
    strike: async ({ look }) => {
      const { stdout } = await look(`{ ${script}\n} 2>/dev/null; echo searched`);
      if (!stdout.includes("searched")) throw new Error("the search broke off");
      const places = stdout.split("\n").filter((line) => line !== "" && line !== "searched");
      return verdict(places.length > 0, places.slice(0, 3).join(", ") || "searched, not found");
    },
    product,
    control,
  });
}

/** Looks through the writable memory of every process, by both ways in which one may read it. */
const MEMORY = `
import ctypes, os, re, sys
libc = ctypes.CDLL(None)
class Part(ctypes.Structure): _fields_ = [("base", ctypes.c_void_p), ("bytes", ctypes.c_size_t)]
pattern = re.compile(sys.argv[1].encode())
def by_file(pid, start, length):
    with open(f"/proc/{pid}/mem", "rb", 0) as memory: memory.seek(start); return memory.read(length)
def by_call(pid, start, length):
    buffer = ctypes.create_string_buffer(length)
    to, at = Part(ctypes.cast(buffer, ctypes.c_void_p), length), Part(start, length)
    got = libc.process_vm_readv(int(pid), ctypes.byref(to), 1, ctypes.byref(at), 1, 0)
    return buffer.raw[:max(0, got)]
for pid in filter(str.isdigit, os.listdir("/proc")):
    if int(pid) == os.getpid(): continue
    try: maps = open(f"/proc/{pid}/maps").readlines()
    except OSError: continue
    for line in (it for it in maps if " rw" in it):
        start, end = (int(x, 16) for x in line.split()[0].split("-"))
        for read in (by_file, by_call):
            try: data = read(pid, start, min(1 << 24, end - start))
            except (OSError, ValueError, OverflowError): continue
            if pattern.search(data): print("in the memory of", open(f"/proc/{pid}/comm").read().strip())
`;

const wayOut = lazily(async () => fortress(await hostPlace("secrets")));
const BODY = '{"model":"m","input":[],"stream":true,"store":false}';
const CALL = `curl -s --compressed -i -m 10 -d '${BODY}' http://127.0.0.1:`;

/** The endpoint answers with the key in it; it must not come in. */
function comesNot(
  name: string,
  tries: string,
  answer: WayOut["upstream"]["answer"],
  more: Parameters<typeof productWayOut>[1] = {},
): Attempt {
  return attempt<WayOut>({
    name,
    tries,
    mustHappen: "no part of the key arrives inside",
    strike: async (out): Promise<Verdict> => {
      out.upstream.answer = answer;
      let said = "";
      for (let n = 0; n < 3; n++)
        said += (await out.inside.sh(`${CALL}${out.modelPort}/v1/responses -H 'host: x'`)).stdout;
      const first = said.split("\r\n")[0] ?? "";
      return verdict(said.includes(KEY), `${said.length} bytes came in: ${first}`);
    },
    product: async () => productWayOut(await wayOut(), more),
    control: async () => naiveWayOut(await wayOut()),
  });
}

let renewals = 0;

group("secrets", [
  findsNothing(
    "environment",
    "reads the environment of every process",
    `env | grep -q "$1" && echo in the environment; cat /proc/[0-9]*/environ | tr '\\0' '\\n' | grep -qa "$1" && echo in the environment of a process`,
  ),
  findsNothing(
    "arguments",
    "reads the command line of every process",
    `cat /proc/[0-9]*/cmdline | tr '\\0' '\\n' | grep -qa -- "$1" && echo in an argument`,
  ),
  findsNothing(
    "files",
    "searches every readable file, including CODEX_HOME and deleted files that are still open",
    `grep -rlsaI "$1" /tmp /home /run /etc /opt/codex-chat /var /root /dev/shm "$CODEX_HOME" "$2"
     for open in /proc/[0-9]*/fd/*; do [ -f "$open" ] && head -c 2000000 "$open" | grep -qa "$1" && echo "in an open file $open"; done`,
  ),
  findsNothing(
    "memory",
    "searches the memory of Codex, the relay and the keeper by /proc/<pid>/mem and process_vm_readv",
    `python3 -c '${MEMORY}' "$1" | sort -u`,
  ),
  comesNot(
    "error text",
    "provokes an error of the endpoint that quotes the key",
    (_request, response) => {
      response.writeHead(401, { "content-type": "application/json" });
      response.end(JSON.stringify({ error: { message: `Incorrect API key provided: ${KEY}.` } }));
    },
  ),
  comesNot(
    "pieces of an answer",
    "makes the endpoint quote the key in pieces, a few bytes at a time",
    (_request, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      const pieces = `data: ${KEY}\n\n`.match(/.{1,5}\n*/gs) ?? [];
      const write = () => {
        const piece = pieces.shift();
        if (piece === undefined) response.end();
        else response.write(piece, () => setTimeout(write, 20));
      };
      write();
    },
  ),
  comesNot("headers", "makes the endpoint quote the key in headers", (_request, response) => {
    response.writeHead(403, { "x-request-key": KEY, "www-authenticate": `Bearer key="${KEY}"` });
    response.end("no");
  }),
  comesNot(
    "compressed answer",
    "makes the endpoint answer compressed, so that the key is not visible in it",
    (_request, response) => {
      response.writeHead(200, { "content-encoding": "gzip", "content-type": "text/event-stream" });
      response.end(gzipSync(`data: ${KEY}\n\n`));
    },
  ),
  comesNot(
    "moment of a renewal",
    "calls while the key is renewed, when the endpoint still quotes the old one",
    (_request, response) => void response.end(`the old key was ${KEY}`),
    {
      authorization: async () =>
        ok([
          [
            "authorization",
            `Bearer ${renewals++ === 0 ? KEY : `sk-new-${renewals}-key-0123456789`}`,
          ],
        ]),
    },
  ),
  comesNot(
    "failing renewal",
    "calls while the command that prints the key fails with the key in its complaint",
    (_request, response) => void response.writeHead(500).end(`cannot use ${KEY}`),
    {
      authorization: async () =>
        renewals++ % 2 === 1
          ? err({ message: "the key command failed" })
          : ok([["authorization", `Bearer ${KEY}`]]),
    },
  ),
]);
