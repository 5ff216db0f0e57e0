/** Letters of other scripts that look like those of `you` and `codex`. */
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

/** The words that head a section, as `skeleton` gives them. */
const ROLES = new Set(["you", "codex"]);

/**
 * The letters and digits of `text` as an eye sees them: without markup, case, accents, or the
 * script they come from. Stops after 16, which is longer than any word it is compared with.
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

/** Whether `text`, as the text of a heading, would pass for `You` or `Codex`. */
export function looksLikeRole(text: string): boolean {
  return ROLES.has(skeleton(text));
}

const OURS =
  /^(?:\*\*|__)(?:(?:Asks|Error:?|Note:?)(?:\*\*|__)|(?:Running|Ran|Failed|Declined|Stopped|Editing|Edited|Adding|Added|Deleting|Deleted|Moving|Moved|Changing|Changed|Calling|Called|Waiting|Waited|Typed|Thinking|Thought|Plan|Hook|Goal|Reviewing|Reviewed|Searching|Searched|Opening|Opened|Viewed|Drawing|Drew)(?:\*\*|__) ?(?:[`·]|$))/;
const PERHAPS_OURS = /^(?:\*\*?|__?)[A-Za-z]{0,9}:?[*_]{0,2} ?$/;

/** Whether a line of text that begins so would pass for one of our own summaries or notices. */
export function looksLikeSummary(content: string): boolean {
  return OURS.test(content);
}

/** Whether the beginning of a line could still become what `looksLikeSummary` finds. */
export function mayBecomeSummary(content: string): boolean {
  return PERHAPS_OURS.test(content);
}
