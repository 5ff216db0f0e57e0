import { noBlocks, scanLine } from "../markdown/index.ts";
import { type ChatMeta, newFrontMatter, readFrontMatter } from "./front-matter.ts";
import { CODEX_HEADING, FRONT_MATTER_LINE, type Role, USER_HEADING } from "./marks/index.ts";
import { findSections, linesOf, trimLines } from "./sections.ts";

/** One section of a conversation, without its heading and the blank lines around it. */
type Section = { readonly role: Role; readonly text: string };

/** A conversation as its file holds it. */
export type Transcript = {
  readonly meta: ChatMeta;
  /** The lines of the front matter as found; kept so that keys of others survive. */
  readonly frontMatter: string | undefined;
  /** What stands above the first section. */
  readonly preamble: string;
  readonly sections: readonly Section[];
  /** What stands in the last `## You` section: not sent yet. */
  readonly prompt: string;
  /** What could not be read, in sentences for the user. */
  readonly problems: readonly string[];
};

/** The text of a new conversation: front matter and an empty prompt. */
export function newTranscript(meta: ChatMeta): string {
  return `${[...newFrontMatter(meta), "", USER_HEADING, ""].join("\n")}\n`;
}

/**
 * Reads a conversation. Never throws: front matter that cannot be read is listed in `problems`, and
 * a file that ends with a `## Codex` section has an empty prompt.
 */
export function readTranscript(text: string): Transcript {
  const lines = linesOf(text);
  const front = readFrontMatter(lines);
  const placed = findSections(lines);
  const sections: Section[] = placed.map(({ role, text: words }) => ({ role, text: words }));
  const last = sections.at(-1);
  const prompt = last?.role === "user" ? last.text : "";
  if (last?.role === "user") sections.pop();
  return {
    meta: front.meta,
    frontMatter: front.source,
    preamble: trimLines(lines.slice(front.end, placed[0]?.row ?? lines.length)),
    sections,
    prompt,
    problems: front.problems,
  };
}

/** Writes a conversation; reading and writing it again changes nothing. */
export function writeTranscript(transcript: Transcript): string {
  const { frontMatter, meta, preamble, sections, prompt } = transcript;
  const head =
    frontMatter === undefined
      ? newFrontMatter(meta)
      : [FRONT_MATTER_LINE, ...(frontMatter === "" ? [] : [frontMatter]), FRONT_MATTER_LINE];
  const parts = [head.join("\n")];
  if (preamble !== "") parts.push(withClosedFence(preamble));
  for (const section of sections) parts.push(sectionText(section));
  const last = prompt === "" ? `${USER_HEADING}\n` : `${USER_HEADING}\n\n${prompt}`;
  return `${[...parts, last].join("\n\n")}\n`;
}

function sectionText(section: Section): string {
  const heading = section.role === "user" ? USER_HEADING : CODEX_HEADING;
  return section.text === "" ? heading : `${heading}\n\n${withClosedFence(section.text)}`;
}

/** `text` with a fence that it leaves open closed, so that the next heading stands outside of it. */
function withClosedFence(text: string): string {
  let blocks = noBlocks;
  for (const line of text.split("\n")) blocks = scanLine(blocks, line).after;
  const { leaf, containers } = blocks;
  if (leaf.kind !== "fence" || containers.length > 0) return text;
  return `${text}\n${leaf.mark.repeat(leaf.length)}`;
}

/** Text of the conversation for a model that has not seen it; see `transcriptForModel`. */
const INTRODUCTION =
  "This conversation began in a thread that is gone. Below is its transcript as the user's editor " +
  "kept it; commands and edits in it were really run. Go on from its end.";

/**
 * Gives the conversation as context for a fresh thread, in at most `maxChars` characters: the first
 * query always, then as many of the latest sections as fit; what is left out is said. Empty where
 * there is nothing to tell.
 */
export function transcriptForModel(text: string, maxChars: number): string {
  const { sections } = readTranscript(text);
  const [first, ...rest] = sections.filter((section) => section.text !== "");
  if (first === undefined) return "";
  const opening = clip(sectionText(first), Math.floor(maxChars / 4));
  const kept: string[] = [];
  let room = maxChars - INTRODUCTION.length - opening.length - 80;
  let left = rest.length;
  for (const section of rest.toReversed()) {
    const whole = sectionText(section);
    const part = kept.length === 0 ? clip(whole, Math.max(0, room)) : whole;
    if (part === "" || part.length + 2 > room) break;
    kept.unshift(part);
    room -= part.length + 2;
    left -= 1;
  }
  const gap = left === 0 ? [] : [`[${left} section${left === 1 ? "" : "s"} left out]`];
  return [INTRODUCTION, opening, ...gap, ...kept].join("\n\n").slice(0, Math.max(0, maxChars));
}

/** The end of `text` where it is too long: what came last matters most. */
function clip(text: string, maxChars: number): string {
  if (text.length <= maxChars) return text;
  if (maxChars < 40) return "";
  const heading = text.slice(0, text.indexOf("\n"));
  const mark = "\n\n[… cut …]\n";
  return `${heading}${mark}${text.slice(-(maxChars - heading.length - mark.length))}`;
}
