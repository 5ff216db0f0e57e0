import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, it } from "vitest";

const root = join(import.meta.dirname, "../..");
const pages = [
  ...["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "docs/dependencies.md"],
  ...["docs/updating-codex.md", "docs/releasing.md"],
  ...readdirSync(join(root, "docs/decisions")).map((name) => `docs/decisions/${name}`),
];

it.each(pages)("%s names files that exist", (page) => {
  const text = readFileSync(join(root, page), "utf8");
  const paths = [...text.matchAll(/`((?:src|lua|test|scripts|container|attack)\/[\w./-]+)`/g)];
  const links = [...text.matchAll(/\]\((?!https?:|#)([^)#]+)/g)];
  const named = [
    ...paths.map(([, path = ""]) => path),
    ...links.map(([, link = ""]) => join(dirname(page), link)),
  ];
  expect(named.filter((path) => !existsSync(join(root, path)))).toEqual([]);
});

it.each(pages.filter((page) => page.includes("/decisions/")))(
  "%s has a title with its number, a status and a date",
  (page) => {
    const [title, , status, , context] = readFileSync(join(root, page), "utf8").split("\n");
    expect(title).toMatch(/^# \d+\. [A-Z`]/);
    expect(page).toContain(`/${title?.match(/\d+/)?.[0].padStart(4, "0")}-`);
    expect(status).toMatch(
      /^(?:Accepted|Superseded by \[\d+\]\(.+\)), \d{4}-\d\d-\d\d(?:; [a-z].+, \d{4}-\d\d-\d\d)?\.$/,
    );
    expect(context).toBe("## Context");
  },
);
