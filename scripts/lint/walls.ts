/**
 * The walls of `src/`: which folder may import which, and by which door.
 *
 * - A part (a folder directly in `src/`) imports only the parts that the table below allows.
 * - A folder's only door is its `index.ts`. The rooms inside a folder may also use the files that lie
 *   directly in it: those are the ground they share.
 * - A folder has at most 15 source files, and its `index.ts` says what it is for, what it must not
 *   know, and exports at most 15 names.
 *
 * Circles are the linter's: `noImportCycles` in biome.json.
 */
import { readFileSync } from "node:fs";
import { basename, dirname, join, normalize, relative } from "node:path";

/** The parts that each part may import; files directly in `src/` are open to all. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  audit: [],
  chat: ["codex", "process"],
  codex: [],
  egress: [],
  login: [],
  nvim: [],
  offline: [],
  process: [],
  sandbox: ["process"],
  session: [
    "audit",
    "chat",
    "codex",
    "egress",
    "login",
    "nvim",
    "process",
    "sandbox",
    "threads",
    "workspace",
  ],
  threads: ["chat"],
  workspace: ["process"],
};

/** What `src/main.ts` starts: the host and its modes, and nothing of what they are made of. */
const MAIN_MAY_IMPORT = ["nvim", "sandbox", "session"];

const MAX_FILES = 15;
const MAX_NAMES = 15;
/** Two short lines. */
const MIN_HEADER_CHARS = 60;

const IMPORT = /^(?:import|export)\b[^;"]*?\bfrom\s+"(\.[^"]+)"|\bimport\("(\.[^"]+)"\)/gm;
const EXPORTED =
  /^export (?:type )?\{([^}]*)\} from|^export (?:async )?(?:const|function|class|type) (\w+)/gm;

/**
 * Checks TypeScript files against the walls.
 *
 * @param root the checkout
 * @param paths its source files, relative to it; tests are left out
 * @returns a line for each breach, empty where there is none
 */
export function typescriptWalls(root: string, paths: readonly string[]): readonly string[] {
  const files = paths.filter((path) => /^src\/.*\.ts$/.test(path) && !path.endsWith(".test.ts"));
  const text = new Map(files.map((path) => [path, readFileSync(join(root, path), "utf8")]));
  const folders = new Map<string, string[]>();
  for (const path of files) {
    const folder = dirname(path);
    folders.set(folder, [...(folders.get(folder) ?? []), path]);
  }
  return [
    ...[...text].flatMap(([path, source]) =>
      importsOf(source).flatMap((target) => breach(path, normalize(join(dirname(path), target)))),
    ),
    ...[...folders].flatMap(([folder, inside]) => {
      const index = text.get(`${folder}/index.ts`);
      return [
        ...(inside.length > MAX_FILES
          ? [`${folder}: ${inside.length} source files, at most ${MAX_FILES} fit in a folder`]
          : []),
        ...(folder === "src" ? [] : doorProblems(folder, index)),
      ];
    }),
  ];
}

function importsOf(source: string): readonly string[] {
  return [...source.matchAll(IMPORT)].map((match) => match[1] ?? match[2] ?? "");
}

/** Why `path` may not import `target`. */
function breach(path: string, target: string): readonly string[] {
  if (!target.startsWith("src/")) return [`${path}: imports ${target}, which is not in src/`];
  const [from, to] = [partOf(path), partOf(target)];
  if (to !== undefined && from !== to) {
    const allowed = from === undefined ? mayOf(path) : MAY_IMPORT[from];
    if (allowed === undefined)
      return [`${path}: the part ${from} is not in the table of scripts/lint/walls.ts`];
    if (!allowed.includes(to)) return [`${path}: ${from ?? path} must not know ${to} (${target})`];
  }
  const door = dirname(target);
  const isInside = !relative(door, dirname(path)).startsWith("..");
  if (isInside) {
    return basename(target) === "index.ts" && door !== dirname(path)
      ? [`${path}: imports its own folder's door ${target}; import the file itself`]
      : [];
  }
  return basename(target) === "index.ts"
    ? []
    : [`${path}: imports ${target} past the door; use ${door}/index.ts`];
}

/** What a file directly in `src/` may import. */
function mayOf(path: string): readonly string[] {
  return path === "src/main.ts" ? MAIN_MAY_IMPORT : [];
}

/** The folder directly in `src/` that a file is in; undefined for those in `src/` itself. */
function partOf(path: string): string | undefined {
  const [, part, ...rest] = path.split("/");
  return rest.length === 0 ? undefined : part;
}

function doorProblems(folder: string, index: string | undefined): readonly string[] {
  if (index === undefined) return [`${folder}: has no index.ts`];
  const header = /^\/\*\*([\s\S]*?)\*\//.exec(index)?.[1] ?? "";
  const names = [...index.matchAll(EXPORTED)].flatMap(([, list, name]) =>
    list === undefined ? [name] : list.split(",").filter((item) => item.trim() !== ""),
  );
  return [
    ...(header.trim().length < MIN_HEADER_CHARS
      ? [`${folder}/index.ts: its first comment must say what the folder is for`]
      : []),
    ...(names.length > MAX_NAMES
      ? [`${folder}/index.ts: exports ${names.length} names, at most ${MAX_NAMES}`]
      : []),
  ];
}
