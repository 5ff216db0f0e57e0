/**
 * The walls of `lua/codex-chat/`: which room may require which.
 *
 * - A room is a folder, or a module that lies directly in `lua/codex-chat/`. It requires only the rooms
 *   below it in the table; within a room, modules require one another freely.
 * - No modules require one another in a circle. A `require` within a function counts like one at the
 *   top, and so does a module's name in a string, as in `v:lua.require'…'` and where a table names
 *   the module to load: each of them makes one module need the other.
 * - A module that is required is there.
 * - A folder has at most 15 modules, and each module says in its first line what it is for.
 */
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** The rooms from the ground up. A name with a dot is a single module of a folder. */
const ROOMS: readonly string[] = [
  // What any of them may use.
  ...["types", "message", "did_you_mean", "async", "registry", "events", "config", "format"],
  // The machine: files, projects, programs.
  ...["disk", "project", "outside", "git"],
  // A conversation without a window.
  ...["status", "reload", "host", "buffer"],
  // What the user sees.
  ...["highlight", "ui", "approval"],
  // What goes into a query.
  ...["context", "tools", "prompt", "complete"],
  // What Codex did to the files.
  ...["review"],
  // The whole.
  ...["chat", "threads", "commands", "rpc"],
  // What others call.
  ...["init", "health", "blink", "cmp", "loader"],
];

const ROOT = "lua/codex-chat/";
const MAX_MODULES = 15;
/** A short sentence. */
const MIN_HEADER_CHARS = 20;

/** `require("codex-chat.a")` in any spelling, also where it is part of a longer string. */
const REQUIRED = /require\s*\(?\s*["']codex-chat(?:\.([\w.]+))?["']/g;
/** A string that is a module's name, or its beginning: `"codex-chat.a." .. name`. */
const NAMED = /["']codex-chat\.([\w.]+)["']/g;
/** Calls whose argument may look like a module's name, and is not one. */
const NOT_A_MODULE = /nvim_create_(?:augroup|namespace)\(\s*$/;

/**
 * Checks Lua modules against the walls.
 *
 * @param root the checkout
 * @param paths its source files, relative to it
 * @returns a line for each breach, empty where there is none
 */
export function luaWalls(root: string, paths: readonly string[]): readonly string[] {
  const modules = paths.filter((path) => path.startsWith(ROOT) && path.endsWith(".lua"));
  const texts = new Map(modules.map((path) => [path, readFileSync(join(root, path), "utf8")]));
  return luaProblems(texts, ROOMS);
}

/**
 * Does the same for texts that need not lie on the disk.
 *
 * @param texts the modules' texts by path below the checkout
 * @param rooms from the ground up
 */
export function luaProblems(
  texts: ReadonlyMap<string, string>,
  rooms: readonly string[],
): readonly string[] {
  const names = new Set([...texts.keys()].map(moduleName));
  const graph = new Map(
    [...texts].map(([path, text]) => [moduleName(path), requiredBy(moduleName(path), text, names)]),
  );
  return [
    ...[...texts].flatMap(([path, text]) => missing(moduleName(path), text, names)),
    ...[...graph].flatMap(([from, targets]) =>
      [...targets].flatMap((to) => upward(from, to, rooms)),
    ),
    ...[...names]
      .filter((name) => floorOf(name, rooms) === -1)
      .map((name) => `${name}: is in no room of the table in scripts/lint/lua-walls.ts`),
    ...rooms
      .filter((room) => ![...names].some((name) => isIn(name, room)))
      .map((room) => `${room}: is in the table of scripts/lint/lua-walls.ts and has no module`),
    ...circles(graph).map((circle) => `a circle of modules: ${circle.join(" → ")}`),
    ...crowded([...texts.keys()]),
    ...[...texts].flatMap(([path, text]) => headerProblem(path, text)),
  ];
}

/** `lua/codex-chat/a/b.lua` is `a.b`, `lua/codex-chat/a/init.lua` is `a`. */
function moduleName(path: string): string {
  const name = path.slice(ROOT.length, -".lua".length).replaceAll("/", ".");
  return name.replace(/\.init$/, "");
}

function requiredBy(from: string, text: string, names: ReadonlySet<string>): ReadonlySet<string> {
  const found = new Set<string>();
  for (const line of text.split("\n")) {
    if (line.trimStart().startsWith("--")) continue;
    for (const match of line.matchAll(REQUIRED)) found.add(match[1] ?? "init");
    for (const match of line.matchAll(NAMED)) {
      const name = match[1] ?? "";
      if (NOT_A_MODULE.test(line.slice(0, match.index))) continue;
      if (names.has(name)) found.add(name);
      // The beginning of a name stands for every module that it may become.
      if (!name.endsWith(".")) continue;
      for (const each of names) {
        if (each.startsWith(name) && !each.slice(name.length).includes(".")) found.add(each);
      }
    }
  }
  found.delete(from);
  return new Set([...found].filter((name) => names.has(name)));
}

/** Modules that are required by their whole names and are not there: they were renamed, or moved. */
function missing(from: string, text: string, names: ReadonlySet<string>): readonly string[] {
  const lines = text.split("\n").filter((line) => !line.trimStart().startsWith("--"));
  const required = lines.flatMap((line) =>
    [...line.matchAll(REQUIRED)].map((match) => match[1] ?? "init"),
  );
  return [...new Set(required)]
    .filter((name) => !name.endsWith(".") && !names.has(name))
    .map((name) => `${from}: requires ${name}, which is not there`);
}

function isIn(name: string, room: string): boolean {
  return name === room || name.startsWith(`${room}.`);
}

/** How high a module stands; -1 where it is in no room. A room that names it more exactly wins. */
function floorOf(name: string, rooms: readonly string[]): number {
  return rooms.reduce((best, room, floor) => {
    if (!isIn(name, room)) return best;
    return best === -1 || room.length > (rooms[best]?.length ?? 0) ? floor : best;
  }, -1);
}

function upward(from: string, to: string, rooms: readonly string[]): readonly string[] {
  const [lower, upper] = [floorOf(from, rooms), floorOf(to, rooms)];
  return lower === -1 || upper <= lower
    ? []
    : [`${from}: requires ${to}, but ${rooms[lower]} is below ${rooms[upper]}`];
}

/** The shortest circle through one module of each knot, which is modules that all need one another. */
function circles(graph: ReadonlyMap<string, ReadonlySet<string>>): readonly (readonly string[])[] {
  const found: (readonly string[])[] = [];
  const known = new Set<string>();
  for (const start of [...graph.keys()].sort()) {
    const circle = known.has(start) ? undefined : wayBack(graph, start);
    if (circle === undefined) continue;
    found.push(circle);
    for (const name of reachable(graph, start)) {
      if (reachable(graph, name).has(start)) known.add(name);
    }
  }
  return found;
}

function reachable(
  graph: ReadonlyMap<string, ReadonlySet<string>>,
  start: string,
): ReadonlySet<string> {
  const found = new Set<string>();
  const queue = [start];
  for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
    for (const next of graph.get(name) ?? []) {
      if (found.has(next)) continue;
      found.add(next);
      queue.push(next);
    }
  }
  return found;
}

/** The shortest way from a module to itself. */
function wayBack(
  graph: ReadonlyMap<string, ReadonlySet<string>>,
  start: string,
): readonly string[] | undefined {
  const queue: (readonly string[])[] = [[start]];
  const seen = new Set<string>();
  for (let way = queue.shift(); way !== undefined; way = queue.shift()) {
    for (const next of graph.get(way.at(-1) ?? start) ?? []) {
      if (next === start) return [...way, start];
      if (seen.has(next)) continue;
      seen.add(next);
      queue.push([...way, next]);
    }
  }
  return undefined;
}

function crowded(paths: readonly string[]): readonly string[] {
  const counts = new Map<string, number>();
  for (const path of paths) counts.set(dirname(path), (counts.get(dirname(path)) ?? 0) + 1);
  return [...counts]
    .filter(([, count]) => count > MAX_MODULES)
    .map(
      ([folder, count]) => `${folder}: ${count} modules, at most ${MAX_MODULES} fit in a folder`,
    );
}

function headerProblem(path: string, text: string): readonly string[] {
  const header = /^--- (.*)/.exec(text)?.[1] ?? "";
  return header.length >= MIN_HEADER_CHARS
    ? []
    : [`${path}: its first line must be a comment (---) that says what it is for`];
}
