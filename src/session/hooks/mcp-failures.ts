import * as z from "zod";
import { quoteForShell } from "../../look.ts";

/** What of a configured server its failure is explained by; all else is of no concern here. */
const Configured = z
  .looseObject({
    command: z.string().optional().catch(undefined),
    args: z.array(z.string()).optional().catch(undefined),
    cwd: z.string().optional().catch(undefined),
    url: z.string().optional().catch(undefined),
  })
  .catch({});
type Configured = z.infer<typeof Configured>;

/** After a change of the configuration or of what is installed. */
const AGAIN = "Then `:CodexChat sandbox stop`, and send again.";
const INSIDE = "MCP servers run inside the sandbox";

/** How programs are added that many servers are started with, and that are not in the image. */
const KNOWN: Readonly<Record<string, string>> = {
  uv: "COPY --from=ghcr.io/astral-sh/uv:latest /uv /uvx /usr/local/bin/",
  uvx: "COPY --from=ghcr.io/astral-sh/uv:latest /uv /uvx /usr/local/bin/",
  deno: "COPY --from=denoland/deno:bin /deno /usr/local/bin/",
  bun: "COPY --from=oven/bun:slim /usr/local/bin/bun /usr/local/bin/",
  bunx: "COPY --from=oven/bun:slim /usr/local/bin/bun /usr/local/bin/bunx",
  pipx: "RUN apt-get update && apt-get install -y pipx",
  go: "RUN apt-get update && apt-get install -y golang",
  cargo: "RUN apt-get update && apt-get install -y cargo",
  java: "RUN apt-get update && apt-get install -y default-jre-headless",
};
/** Programs that fetch a server before they start it, and where from, in `network.allow`. */
const FETCHERS: Readonly<Record<string, string>> = {
  npx: "npm",
  npm: "npm",
  bunx: "npm",
  uvx: "pypi",
  uv: "pypi",
  pipx: "pypi",
};
const ENGINES: ReadonlySet<string> = new Set(["docker", "podman", "nerdctl"]);

/**
 * Why a server could not be started, from Codex's words about it (0.169), and how that is mended in
 * this plugin's terms. `server` is how it is configured.
 *
 * SECURITY: the words are those of any program inside; they are bounded by who hands them over, and
 * shown as text by who takes them.
 */
export function startFault(name: string, error: string, server: unknown): string {
  const configured = Configured.parse(server);
  const said = error.replace(
    /^(?:MCP client for `[^`]*` failed to start: )?(?:MCP startup failed: )?/,
    "",
  );
  if (/\(os error 2\)/.test(said)) return missing(configured);
  if (/\(os error 13\)/.test(said)) return notExecutable(configured);
  if (/\(os error 8\)/.test(said)) return notRunnable(configured);
  const late = /timed out after (\d+) seconds?/.exec(said);
  if (late !== null) return tooLate(name, late[1] ?? "", configured);
  if (/is not logged in|[Aa]uth(?:orization)? required|HTTP 401|HTTP 403/.test(said))
    return needsLogin(name, configured);
  if (/connection closed: initialize response/.test(said)) return ended(configured);
  return `${plain(said)}. ${checkIt(name, configured)}`;
}

function missing({ command = "", cwd }: Configured): string {
  const place = cwd === undefined ? "" : `, or its \`cwd\` ${cwd} is not there`;
  if (command.includes("/"))
    return `${command} is not in the sandbox, or the program that its first line names is not${place}. ${INSIDE}, which has the project and its image: put the server into the project, show it with \`sandbox.mounts\`, or install it with \`sandbox.dockerfile\`. ${AGAIN}`;
  const what = `${command} is not in the sandbox's image${place}.`;
  if (ENGINES.has(command))
    return `${what} ${INSIDE}, where there are no containers: start the program itself that ${command} would run, with npx or uvx for instance. ${AGAIN}`;
  const line = KNOWN[command];
  const how =
    line === undefined
      ? "Install it with `sandbox.dockerfile`, or name an image that has it in `sandbox.image`"
      : `Name a file in \`sandbox.dockerfile\` that has these lines: \`ARG CODEX_CHAT_IMAGE\`, \`FROM $CODEX_CHAT_IMAGE\`, \`${line}\``;
  return `${what} ${INSIDE}. ${how}. ${AGAIN} See :help codex-chat-image.`;
}

function notExecutable({ command = "" }: Configured): string {
  return `${command} may not be executed: \`chmod +x ${quoteForShell(command)}\`. ${AGAIN}`;
}

function notRunnable({ command = "" }: Configured): string {
  return `${command} cannot run on this machine: the first line of a script must name its interpreter, such as \`#!/usr/bin/env node\`. ${AGAIN}`;
}

function tooLate(name: string, seconds: string, { command }: Configured): string {
  const waits =
    command === undefined
      ? ""
      : " If it waited for your answer about a host, `network.allow` takes that host.";
  return `it did not answer within ${seconds} s.${waits} \`mcp_servers.${name}.startup_timeout_sec\` gives it more time. ${AGAIN}`;
}

function needsLogin(name: string, { url = "" }: Configured): string {
  return `${hostOf(url)} wants a login, which a server in the sandbox cannot have. It can have a token: name the token's variable in \`mcp_servers.${name}.bearer_token_env_var\` and set that in \`sandbox.env\`, where everything inside can read it. ${AGAIN}`;
}

function ended(configured: Configured): string {
  const from = FETCHERS[configured.command ?? ""];
  const fetches =
    from === undefined
      ? ""
      : ` If it could not download its program, \`network.allow = { "${from}" }\` lets it. ${AGAIN}`;
  return `it ended before it answered. ${tryIt(configured)} shows what it says.${fetches}`;
}

/** How the user sees the server's own words. */
function tryIt({ command = "", args = [] }: Configured): string {
  return `\`:CodexChat sandbox shell ${[command, ...args].map(quoteForShell).join(" ")}\``;
}

function checkIt(name: string, configured: Configured): string {
  if (configured.url !== undefined)
    return `Check \`mcp_servers.${name}.url\`, which must be an MCP server over HTTP (streamable).`;
  return `It must speak MCP over its input and output; ${tryIt(configured)} shows what it says.`;
}

/** Without the names of the libraries' types, and what is said twice. */
function plain(said: string): string {
  const transport = /Transport \[[^\]]*\] error: (.*?),? when send initialize request/s.exec(said);
  const words = transport?.[1] ?? said.replace(/^handshaking with MCP server failed: /, "");
  const [, json] = /^JSON-RPC error: -?\d+: (.*?)(?:: JSON-RPC error: .*)?$/s.exec(words) ?? [];
  if (json !== undefined) return `it answered with an error: ${json.trim()}`;
  const http = /unexpected server response: HTTP (\d+)(?:: (.*))?$/s.exec(words);
  if (http === null) {
    if (words.startsWith("Unexpected content type")) return "the server there does not speak MCP";
    return words.trim().replace(/[.\s]+$/, "");
  }
  const refused = /codex-chat: (.*)/s.exec(http[2] ?? "")?.[1];
  return (refused ?? `it answered with HTTP ${http[1]}`).trim().replace(/[.\s…]+$/, "");
}

function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).host : "the server";
}
