import {
  AllowList,
  isDirect,
  parseTarget,
  type UpstreamProxy,
} from "../../egress/network/index.ts";
import { err, ok } from "../../result.ts";
import type { Settings } from "../settings/index.ts";
import type { KeyRing } from "./key-command.ts";

/** Options for creating the proxy. */
export type UpstreamProxyOptions = {
  readonly settings: Pick<Settings, "network">;
  readonly env: NodeJS.ProcessEnv;
  /** Remembers the command's output, so that a password manager asks the user only once. */
  readonly keys: KeyRing;
};

const FOR = { setting: "network.proxy_auth_cmd", thing: "the proxy's user:password" } as const;

/**
 * The proxy that the settings name, if any. The environment's proxy variables are ignored: they
 * were set for other programs, and the user may not know that they are set.
 */
export function upstreamProxyOf({
  settings,
  env,
  keys,
}: UpstreamProxyOptions): UpstreamProxy | undefined {
  const { proxy, proxy_auth_cmd: command } = settings.network;
  if (proxy === undefined) return undefined;
  return {
    url: new URL(proxy),
    direct: directOf(settings),
    ...(command === undefined
      ? {}
      : {
          credentials: async () => {
            const printed = await keys.get(command, { env, for: FOR });
            if (!printed.ok) return printed;
            return /^[^:\p{Cc}]+:\P{Cc}*$/u.test(printed.value)
              ? ok(printed.value)
              : err({
                  message: `the first line of ${command[0]} (network.proxy_auth_cmd) is not user:password.`,
                });
          },
          renew: () => keys.renew(command, { env, for: FOR }),
        }),
  };
}

/** Whether a URL is reached through the proxy. */
export function goesThrough(settings: Pick<Settings, "network">, url: URL): boolean {
  if (settings.network.proxy === undefined) return false;
  const target = parseTarget(url.host, url.protocol === "http:" ? 80 : 443);
  return target === undefined || !isDirect({ direct: directOf(settings) }, target);
}

function directOf({ network }: Pick<Settings, "network">): AllowList {
  const list = AllowList.parse(network.no_proxy);
  return list.ok ? list.value : AllowList.none;
}
