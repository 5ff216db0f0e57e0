import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { typescriptWalls } from "./walls.ts";

const header = "/**\n * Something that a reader wants to know, and what it must not know.\n */\n";

/** The breaches of a small tree of files. */
async function breaches(files: Readonly<Record<string, string>>): Promise<readonly string[]> {
  const root = await mkdtemp(join(tmpdir(), "walls-"));
  onTestFinished(() => rm(root, { recursive: true }));
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), text);
  }
  return typescriptWalls(root, Object.keys(files));
}

const chat = `${header}export { a } from "./a.ts";\n`;

it("lets a file use its own folder, the folders above it, and other folders by their door", async () => {
  expect(
    await breaches({
      "src/chat/index.ts": chat,
      "src/chat/a.ts": 'import { b } from "./items/index.ts";\nexport const a = b;\n',
      "src/chat/limits.ts": "export const limit = 1;\n",
      "src/chat/items/index.ts": `${header}export { b } from "./b.ts";\n`,
      "src/chat/items/b.ts": 'import { limit } from "../limits.ts";\nexport const b = limit;\n',
    }),
  ).toEqual([]);
});

it("refuses an import past another folder's door", async () => {
  expect(
    await breaches({
      "src/chat/index.ts": chat,
      "src/chat/a.ts": 'export { b as a } from "./items/b.ts";\n',
      "src/chat/items/index.ts": `${header}export { b } from "./b.ts";\n`,
      "src/chat/items/b.ts": "export const b = 1;\n",
    }),
  ).toEqual([
    "src/chat/a.ts: imports src/chat/items/b.ts past the door; use src/chat/items/index.ts",
  ]);
});

it("refuses a room that goes through the door of the folder around it", async () => {
  expect(
    await breaches({
      "src/chat/index.ts": chat,
      "src/chat/a.ts": "export const a = 1;\n",
      "src/chat/items/index.ts": `${header}export { b } from "./b.ts";\n`,
      "src/chat/items/b.ts": 'import type { a } from "../index.ts";\nexport type b = typeof a;\n',
    }),
  ).toEqual([
    "src/chat/items/b.ts: imports its own folder's door src/chat/index.ts; import the file itself",
  ]);
});

it("refuses a part that knows one which it must not know, also where only a type is imported", async () => {
  expect(
    await breaches({
      "src/chat/index.ts": chat,
      "src/chat/a.ts": 'import type { E } from "../egress/index.ts";\nexport type a = E;\n',
      "src/egress/index.ts": `${header}export type { E } from "./e.ts";\n`,
      "src/egress/e.ts": "export type E = 1;\n",
    }),
  ).toEqual(["src/chat/a.ts: chat must not know egress (src/egress/index.ts)"]);
});

it("refuses a part that the table does not name, and an import from outside of src", async () => {
  expect(
    await breaches({
      "src/new/index.ts": `${header}export { n } from "./n.ts";\n`,
      "src/new/n.ts":
        'import { a } from "../chat/index.ts";\nimport { t } from "../../test/t.ts";\nexport const n = a + t;\n',
      "src/chat/index.ts": chat,
      "src/chat/a.ts": "export const a = 1;\n",
    }),
  ).toEqual([
    "src/new/n.ts: the part new is not in the table of scripts/lint/walls.ts",
    "src/new/n.ts: imports test/t.ts, which is not in src/",
  ]);
});

it("refuses a folder without a door, a door without a word about it, and too many files or names", async () => {
  const names = Array.from({ length: 16 }, (_, n) => `n${n}`);
  const many = Object.fromEntries(
    names.map((name) => [`src/egress/${name}.ts`, `export const ${name} = 1;\n`]),
  );
  expect(
    await breaches({
      ...many,
      "src/egress/index.ts": `export { ${names.join(", ")} } from "./n0.ts";\n`,
      "src/nvim/editor.ts": "export const e = 1;\n",
    }),
  ).toEqual([
    "src/egress: 17 source files, at most 15 fit in a folder",
    "src/egress/index.ts: its first comment must say what the folder is for",
    "src/egress/index.ts: exports 16 names, at most 15",
    "src/nvim: has no index.ts",
  ]);
});
