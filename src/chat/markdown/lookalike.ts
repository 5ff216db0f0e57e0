/**
 * Letters of other scripts that look like those in `you` and `codex` (see Unicode TR39,
 * confusables).
 */
const TWINS: Readonly<Record<string, string>> = {
  у: "y",
  ү: "y",
  γ: "y",
  о: "o",
  ο: "o",
  օ: "o",
  υ: "u",
  ս: "u",
  с: "c",
  ϲ: "c",
  ԁ: "d",
  е: "e",
  ε: "e",
  х: "x",
  χ: "x",
};

/** The section headings' words, as skeletons. */
const ROLES = new Set(["you", "codex"]);

/**
 * The skeleton of `text` in the sense of Unicode TR39: its letters and digits as a reader sees
 * them, without markup, case, accents, or differences of script. At most 16, more than any word
 * compared.
 */
export function skeleton(text: string): string {
  const plain = text
    .slice(0, 200)
    .replace(/&#(?:x([0-9a-f]{1,6})|(\d{1,7}));/gi, (_, hex?: string, dec?: string) =>
      fromCode(hex === undefined ? Number(dec) : Number.parseInt(hex, 16)),
    )
    .replace(/&[a-z]{2,12};|⟨U\+[0-9A-F]+⟩/gi, "")
    .replace(/\]\([^)]*\)/g, "")
    .normalize("NFKD")
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]/gu, "");
  return Array.from(plain, (char) => TWINS[char] ?? char)
    .slice(0, 16)
    .join("");
}

function fromCode(code: number): string {
  return code <= 0x10ffff ? String.fromCodePoint(code) : "";
}

/** Whether a heading with this text would look like `You` or `Codex`. */
export function looksLikeRole(text: string): boolean {
  return ROLES.has(skeleton(text));
}

const OURS =
  /^(?:\*\*|__)(?:(?:Asks|Error:?|Note:?)(?:\*\*|__)|(?:Running|Ran|Failed|Declined|Stopped|Editing|Edited|Adding|Added|Deleting|Deleted|Moving|Moved|Changing|Changed|Calling|Called|Waiting|Waited|Typed|Thinking|Thought|Plan|Hook|Goal|Reviewing|Reviewed|Searching|Searched|Opening|Opened|Viewed|Drawing|Drew)(?:\*\*|__) ?(?:[`·]|$))/;
const PERHAPS_OURS = /^(?:\*\*?|__?)[A-Za-z]{0,9}:?[*_]{0,2} ?$/;

/** Whether a line with this beginning would look like one of the host's summaries or notices. */
export function looksLikeSummary(content: string): boolean {
  return OURS.test(content);
}

/** Whether a partial line could still become one that `looksLikeSummary` matches. */
export function mayBecomeSummary(content: string): boolean {
  return PERHAPS_OURS.test(content);
}

/** Removes the emphasis from a line that would look like one of the host's summaries. */
export function withoutEmphasis(content: string): [string, string] {
  const mark = content.charAt(0);
  const end = content.indexOf(mark + mark, 2);
  const word = content.slice(2, end);
  return [`\\${mark}\\${mark}${word}\\${mark}\\${mark}`, content.slice(end + 2)];
}

/** Escapes a line of a fence that a simple parser would take for a section's heading. */
export function withoutRole(line: string): string {
  return line.replace(/^( {0,3})(##[ \t]+(?:You|Codex)[ \t#]*)$/, "$1\\$2");
}
