import { isAbsolute } from "node:path";
import * as z from "zod";
import { AllowList } from "../../egress/network/index.ts";
import { localServices, MAX_LOCAL } from "./local-services.ts";
import { McpServers } from "./mcp-servers.ts";

/** An absolute path, as Lua resolved it. */
const AbsolutePath = z.string().refine(isAbsolute, "must be an absolute path");

const MIB = 1024 ** 2;

/**
 * As in `docker run`. SECURITY: other text would change the URLs of the engine's API that contain
 * it.
 */
const ImageName = z
  .string()
  .regex(/^[\w][\w.:@/-]*$/, "is not the name of an image")
  .refine((name) => !name.split("/").includes(".."), "is not the name of an image");

/** Variables for the container; the user cannot set those that its own programs depend on. */
const SandboxEnv = z.record(
  z
    .string()
    .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, "is not the name of a variable")
    .refine(
      (name) => name !== "HOME" && !/^CODEX_/.test(name),
      "is the sandbox's own and cannot be set",
    ),
  z.string().refine((value) => !value.includes("\0"), "must not contain a zero byte"),
);

const ALL_CACHES = { tools: true, dirs: ["node_modules", "target", ".venv"] };

/** Which caches are kept between containers: all, none, or those listed. */
const Caches = z.union([
  z.boolean().transform((all) => (all ? ALL_CACHES : { tools: false, dirs: [] })),
  z.strictObject({
    tools: z.boolean().default(true),
    // An empty Lua table arrives as an object.
    dirs: z
      .preprocess(
        (value) => (JSON.stringify(value) === "{}" ? [] : value),
        z.array(z.string().min(1)).optional(),
      )
      .transform((dirs) => dirs ?? ALL_CACHES.dirs),
  }),
]);

/** Hosts, written as in `network.allow`. */
const Hosts = z
  .array(z.string())
  .superRefine((entries, context) => {
    const list = AllowList.parse(entries);
    if (!list.ok) context.addIssue({ code: "custom", message: list.error });
  })
  .default([]);

const ProxyUrl = z
  .url({ protocol: /^http$/, error: "must be the address of an http proxy: http://host:port" })
  .refine((text) => !/^[^/]*\/\/[^/]*@/.test(text), {
    error: "contains a user: let network.proxy_auth_cmd print user:password",
  })
  .refine((text) => /^http:\/\/[^/?#]+\/?$/.test(text), {
    error: "has more than a host and a port",
  });

/**
 * The resolved configuration that the editor sends with `chat/open`.
 *
 * Lua has already reported unknown keys and filled in defaults. This is the host's own check; it is
 * strict about values, because a mistyped limit must not weaken the sandbox.
 */
export const Settings = z.object({
  model: z.string().min(1).optional(),
  effort: z.string().min(1).optional(),
  model_url: z.url({ protocol: /^https?$/ }).optional(),
  /** Sent with each call besides the key: headers and query parameters. */
  model_headers: z.record(z.string(), z.string()).default({}),
  model_query: z.record(z.string(), z.string()).default({}),
  /** Absent: a key if there is one; it is required only if the endpoint is known to need it. */
  auth: z.enum(["key", "login", "none"]).optional(),
  api_key_env: z.string().min(1).default("OPENAI_API_KEY"),
  api_key_cmd: z.array(z.string().min(1)).min(1).optional(),
  /** The header that the key goes into; by default `Authorization: Bearer`. */
  api_key_header: z.string().min(1).optional(),
  /** ChatGPT's backend and Codex's login service, if they are not Codex's own. */
  login_url: z.url({ protocol: /^https?$/ }).optional(),
  login_issuer: z.url({ protocol: /^https?$/ }).optional(),
  approvals: z.enum(["never", "on-request", "untrusted"]).default("on-request"),
  /** Whether stopping a turn also ends its commands; Codex itself leaves them running. */
  stop_commands: z.enum(["always", "ask", "never"]).default("always"),
  /** Whether the agent has its own git directory, or reads the real one. */
  git: z.enum(["private", "off"]).default("private"),
  state_dir: AbsolutePath,
  limits: z
    .object({
      requests_per_turn: z.int().positive().default(200),
      concurrent_requests: z.int().positive().default(8),
      bytes_per_turn: z
        .int()
        .positive()
        .default(512 * 1024 ** 2),
      tokens_per_turn: z.int().positive().default(20_000_000),
      response_idle_ms: z.int().positive().default(300_000),
      silence_ms: z.int().positive().default(60_000),
    })
    .prefault({}),
  sandbox: z
    .object({
      /** Without a name: the engine's `codex-chat` if it has one, else `runsc`. */
      runtime: z.string().min(1).optional(),
      base_image: z.string().min(1).default("debian:trixie-slim"),
      /** An image with Node that replaces the plugin's. */
      image: ImageName.optional(),
      /** A Dockerfile on top of the image: absolute, or below the project's root. */
      dockerfile: z.string().min(1).optional(),
      engine: z.string().min(1).optional(),
      build_network: z.string().min(1).optional(),
      memory: z
        .int()
        .min(256 * MIB, "must be at least 256 MiB, in bytes: Codex and gVisor need that")
        .optional(),
      cpus: z.number().positive().optional(),
      // gVisor counts its own threads: a smaller limit crashes the sandbox itself.
      pids: z.int().min(1024).default(4096),
      /** The size of each of the two tmpfs, /tmp and the home. */
      disk: z
        .int()
        .min(16 * MIB)
        .optional(),
      mounts: z
        .array(
          z.strictObject({
            source: AbsolutePath,
            target: AbsolutePath.optional(),
            write: z.boolean().default(false),
          }),
        )
        .default([]),
      idle_minutes: z.number().positive().default(30),
      env: SandboxEnv.default({}),
      caches: Caches.default(ALL_CACHES),
    })
    .prefault({}),
  /** What the sandbox may reach besides the model. */
  network: z
    .strictObject({
      allow: Hosts.refine(
        (allow) => localServices(allow).length <= MAX_LOCAL,
        `names more than ${MAX_LOCAL} services of this machine`,
      ),
      /** Whether the user is asked about other hosts; otherwise they are refused at once. */
      ask: z.boolean().default(true),
      /** The proxy between this machine and the internet; also used for the model. */
      proxy: ProxyUrl.optional(),
      /** Prints its `user:password`. */
      proxy_auth_cmd: z.array(z.string().min(1)).min(1).optional(),
      /** Hosts reached without the proxy, besides this machine. */
      no_proxy: Hosts,
    })
    .prefault({}),
  /** More files to report because the host runs them; a leading `!` excludes a file. */
  watch: z.object({ paths: z.array(z.string().min(1).max(1000)).default([]) }).prefault({}),
  /** The editor tools that Codex may use. */
  editor_tools: z
    .object({
      buffers: z.boolean().default(true),
      cursor: z.boolean().default(true),
      diagnostics: z.boolean().default(true),
      quickfix: z.boolean().default(true),
      lsp: z.boolean().default(true),
    })
    .prefault({}),
  /** The user's instructions and skill directories; read-only inside. */
  agents_md: AbsolutePath.optional(),
  skills_dirs: z.array(AbsolutePath).default([]),
  mcp_servers: McpServers.default({}),
  log_level: z.enum(["debug", "info", "warn", "error"]).default("info"),
});
export type Settings = z.infer<typeof Settings>;
