/** A conversation as parsed by a viewer that does not know the plugin: CommonMark with tables. */
import markdownIt from "markdown-it";

/** A block of the document as the viewer has parsed it. */
type Found = {
  /** The kind of block, in the viewer's words, such as `paragraph` or `fence`. */
  readonly kind: string;
  /** The kinds of the blocks around it, the outermost first. */
  readonly within: readonly string[];
  /** 0-based first row, and the row after the last. */
  readonly rows: readonly [number, number];
  /** The plain text that is shown; for a fence, its content. */
  readonly text: string;
};

/** A conversation as a viewer sees it. */
export type Viewed = {
  readonly blocks: readonly Found[];
  /** Raw HTML anywhere, as found. */
  readonly html: readonly string[];
  /** URLs that a viewer would fetch without asking. */
  readonly images: readonly string[];
  /** Labels of link reference definitions, which affect the whole document. */
  readonly definitions: readonly string[];
};

const viewer = markdownIt({ html: true, maxNesting: 1000 });

/** Parses a conversation, without its front matter. */
export function view(text: string): Viewed {
  const body = text.replace(/^---\n[\s\S]*?\n---\n/, (front) => front.replace(/[^\n]/g, ""));
  const env: { references?: Record<string, { title: string; href: string }> } = {};
  const within: string[] = [];
  const blocks: Found[] = [];
  const html: string[] = [];
  const images: string[] = [];
  for (const token of viewer.parse(body, env)) {
    const kind =
      token.tag !== "" && token.type.startsWith("heading")
        ? token.tag
        : token.type.replace(/_(?:open|close)$/, "");
    if (token.type === "html_block") html.push(token.content);
    for (const child of token.children ?? []) {
      if (child.type === "html_inline") html.push(child.content);
      if (child.type === "image") images.push(String(child.attrGet("src")));
    }
    if (token.nesting < 0) within.pop();
    else {
      const shown = (token.children ?? []).map((child) =>
        child.type === "softbreak" ? "\n" : child.content,
      );
      const rows = token.map ?? [0, 0];
      blocks.push({
        kind,
        within: [...within],
        rows: [rows[0], rows[1]],
        text: token.children == null ? token.content : shown.join(""),
      });
      if (token.nesting > 0) within.push(kind);
    }
  }
  return { blocks, html, images, definitions: Object.keys(env.references ?? {}) };
}

/** The headings of a kind, in order: their text, and the blocks around them. */
export function headings(viewed: Viewed): {
  readonly text: string;
  readonly row: number;
  readonly tag: string;
  readonly within: readonly string[];
}[] {
  return viewed.blocks.flatMap((block, index) => {
    if (!/^h[1-6]$/.test(block.kind)) return [];
    return [
      {
        text: viewed.blocks[index + 1]?.text ?? "",
        row: block.rows[0],
        tag: block.kind,
        within: block.within,
      },
    ];
  });
}
