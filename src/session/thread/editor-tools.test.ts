import { describe, expect, it } from "vitest";
import { Settings } from "../settings/settings.ts";
import { editorTools } from "./editor-tools.ts";

const names = (editor_tools: object) => {
  const settings = Settings.parse({ state_dir: "/s", editor_tools });
  const [namespace, ...others] = editorTools(settings);
  expect(others).toEqual([]);
  return namespace !== undefined && "tools" in namespace
    ? namespace.tools.map((tool) => tool.name)
    : [];
};

describe("the editor's tools", () => {
  it("are all offered in one namespace, unless the user says otherwise", () => {
    expect(names({})).toEqual([
      "open_buffers",
      "read_buffer",
      "cursor",
      "diagnostics",
      "quickfix",
      "lsp",
    ]);
  });

  it("are not offered if they are switched off", () => {
    expect(names({ buffers: false, lsp: false })).toEqual(["cursor", "diagnostics", "quickfix"]);
    const off = { buffers: false, cursor: false, diagnostics: false, quickfix: false, lsp: false };
    expect(names(off)).toEqual([]);
  });

  it("accept only the arguments that their schemas name", () => {
    const [namespace] = editorTools(Settings.parse({ state_dir: "/s" }));
    const tools = namespace !== undefined && "tools" in namespace ? namespace.tools : [];
    for (const { inputSchema } of tools)
      expect(inputSchema).toMatchObject({ type: "object", additionalProperties: false });
  });
});
