import type { Settings } from "../settings/index.ts";
import type { HealthLine } from "./health-line.ts";

const VARIABLES = /^(https?|all)_proxy$/i;

/**
 * Says whether hosts are reached through network.proxy; warns of proxy variables, which are
 * ignored.
 */
export function networkLines({ network }: Settings, env: NodeJS.ProcessEnv): HealthLine[] {
  const section = "Network";
  const { proxy } = network;
  if (proxy !== undefined) {
    const { host } = new URL(proxy);
    const message = `the model and other hosts are reached through ${host}, which resolves their names`;
    return [{ section, level: "ok", message, advice: [] }];
  }
  const [name] = Object.keys(env).filter(
    (variable) => VARIABLES.test(variable) && env[variable] !== "",
  );
  if (name === undefined) return [];
  return [
    {
      section,
      level: "info",
      message: `${name} is set in Neovim's environment and is ignored`,
      advice: [
        'Set network.proxy, for example to "http://proxy:3128", if nothing is reachable without it.',
      ],
    },
  ];
}
