import type { ToolFunction, ToolParameter, ToolSpec } from "../../codex/index.ts";
import type { Settings } from "../settings/index.ts";

/** A line of a file, 1-based, as the schemas below have it. */
const line: ToolParameter = { type: "integer", minimum: 1 };
const path: ToolParameter = { type: "string", description: "Relative to the project's root." };

type Named = { readonly switch: keyof Settings["editor_tools"]; readonly spec: ToolFunction };

function tool(
  name: string,
  of: Named["switch"],
  description: string,
  properties: Readonly<Record<string, ToolParameter>> = {},
  required: readonly string[] = [],
): Named {
  return {
    switch: of,
    spec: {
      type: "function",
      name,
      description,
      inputSchema: { type: "object", properties, required, additionalProperties: false },
    },
  };
}

const TOOLS: readonly Named[] = [
  tool(
    "open_buffers",
    "buffers",
    "Lists the project's files that the user has open in the editor, and whether they have changes that are not saved.",
  ),
  tool(
    "read_buffer",
    "buffers",
    "Gives the text of an open file as it is in the editor, unsaved changes included. Files that are not open are read from disk as usual.",
    { path, first: line, last: line },
    ["path"],
  ),
  tool("cursor", "cursor", "Tells where the user's cursor is, and what was selected last."),
  tool(
    "diagnostics",
    "diagnostics",
    "Gives the diagnostics of language servers and linters for an open file, or for all.",
    { path },
  ),
  tool("quickfix", "quickfix", "Gives the entries of the editor's quickfix list."),
  tool(
    "lsp",
    "lsp",
    "Asks the language servers of open files for a definition, for references, for documentation (hover) or for the symbols of a file, each at a line and a column or symbol in it; or for the symbols of the whole workspace that match a query.",
    {
      action: {
        type: "string",
        enum: ["definition", "references", "hover", "symbols", "workspace_symbols"],
      },
      path: { ...path, description: `${path.description} The file must be open in the editor.` },
      line,
      column: { ...line, description: "In characters. Without it, the place of the symbol." },
      symbol: { type: "string", description: "A word of the line." },
      query: { type: "string", description: "Of workspace_symbols." },
    },
    ["action"],
  ),
];

/** The name under which Codex sees them. */
export const EDITOR = "editor";

/** What a thread is offered: the tools that the user has not switched off. */
export function editorTools(settings: Settings): ToolSpec[] {
  const tools = TOOLS.filter((tool) => settings.editor_tools[tool.switch]).map((tool) => tool.spec);
  if (tools.length === 0) return [];
  return [
    {
      type: "namespace",
      name: EDITOR,
      description: "What the user's editor knows. Read-only.",
      tools,
    },
  ];
}
