import { describe, expect, it } from "vitest";
import { UnsavedFiles } from "./unsaved-files.ts";

const query = (...unsaved: string[]) => ({ id: "user:1", text: "go on", unsaved });
const told = (news: UnsavedFiles, ...queries: ReturnType<typeof query>[]) => news.of(queries);

describe("the note to Codex about unsaved changes", () => {
  it("names the files, each once, and quotes them", () => {
    const news = new UnsavedFiles();
    expect(told(news, query("a.ts", 'b" and "c.ts'), query("a.ts"))).toBe(
      String.raw`The user has changes that are not saved in "a.ts", "b\" and \"c.ts". Look at them with the editor's read_buffer before you edit these files, and say so if you do.`,
    );
  });

  it("is repeated while it applies, and withdrawn once", () => {
    const news = new UnsavedFiles();
    expect(told(news, query())).toBeUndefined();
    expect(told(news, query("a.ts"))).toContain('"a.ts"');
    expect(told(news, query("a.ts"))).toContain('"a.ts"');
    expect(told(news)).toBeUndefined();
    expect(news.of([{ id: "user:2", text: "edited" }])).toBeUndefined();
    expect(told(news, query())).toBe("The user has saved all changes, or dropped them.");
    expect(told(news, query())).toBeUndefined();
  });

  it("leaves out buffers that do not name a file", () => {
    expect(told(new UnsavedFiles(), query("x".repeat(301)))).toBeUndefined();
  });
});
