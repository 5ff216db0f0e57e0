import { runtimeSetup } from "../../src/sandbox/error.ts";
import { findGoodEngine } from "./engine/index.ts";
import type { SetupError } from "./failure.ts";
import { findNeovim, onPath } from "./programs.ts";

/** A missing part, and the commands that install it. */
type MissingPart = { readonly what: string; readonly commands: readonly string[] };

const NEOVIM: MissingPart = {
  what: "Neovim 0.10.4 or newer as nvim on PATH",
  commands: [
    "sudo apt-get install neovim        # Debian 13 or newer, Ubuntu 25.04 or newer",
    "https://neovim.io/doc/install/     # elsewhere",
  ],
};

const ENGINE: MissingPart = {
  what: "a Docker engine that you may use, with gVisor as a runtime",
  commands: [
    "sudo apt-get install docker.io && sudo usermod -aG docker $USER   # then log in again",
    "sudo apt-get install -t bookworm-backports runsc                  # Debian 12",
    "sudo apt-get install runsc                                        # Debian 13",
    "https://gvisor.dev/docs/user_guide/install/                       # elsewhere",
    ...runtimeSetup("codex-chat").split("\n"),
  ],
};

/** The linters that are not npm packages, and the Debian package of each. */
const LINTERS: Readonly<Record<string, string>> = {
  luacheck: "lua-check",
  shellcheck: "shellcheck",
};

/**
 * Names the wanted parts that are missing on a machine where they cannot be fetched, for the reason
 * `why`; undefined if nothing is missing or everything can be fetched.
 */
export async function whatIsMissing(
  wanted: {
    readonly neovim?: "one" | "tested";
    readonly engine?: boolean;
    readonly linters?: boolean;
  },
  why: string | undefined,
): Promise<SetupError | undefined> {
  if (why === undefined) return undefined;
  const missing: MissingPart[] = [];
  if (wanted.neovim !== undefined && (await findNeovim()) === undefined) missing.push(NEOVIM);
  if (wanted.engine === true && (await findGoodEngine()) === undefined) missing.push(ENGINE);
  if (wanted.linters === true) missing.push(...missingLinters());
  return missing.length === 0 ? undefined : describeMissing(missing, why);
}

function missingLinters(): readonly MissingPart[] {
  return Object.entries(LINTERS)
    .filter(([name]) => onPath(name) === undefined)
    .map(([name, debian]) => ({
      what: `${name} on PATH`,
      commands: [`sudo apt-get install ${debian}`],
    }));
}

/** Turns missing parts into one error with all their commands. */
function describeMissing(missing: readonly MissingPart[], why: string): SetupError {
  return {
    kind: "missing",
    message: `This machine lacks ${missing.map(({ what }) => what).join("; ")}. The set-up fetches these as root on Debian, but ${why}.`,
    fix: missing.flatMap(({ what, commands }) => [`# ${what}`, ...commands]),
  };
}
