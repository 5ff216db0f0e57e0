/** Code points of a title. */
const TITLE_CHARS = 60;

/**
 * A title of one line for a query: its first line that says something, without markdown; those in
 * fences only where there is no other. Empty where nothing is said. The rules are those of
 * lua/codex-chat/threads/title.lua, and the same cases are held against both.
 */
export function title(query: string): string {
  let fence: string | undefined;
  let fenced = "";
  for (const line of query.slice(0, 10_000).split("\n")) {
    const run = /^ {0,3}(`{3,}|~{3,})/.exec(line)?.[1];
    if (fence !== undefined) {
      if (run?.startsWith(fence) && /^ *[`~]+\s*$/.test(line)) fence = undefined;
      else if (fenced === "") fenced = cut(plain(line));
    } else if (run !== undefined) {
      fence = run;
    } else {
      const text = stripped(line);
      if (text !== "") return cut(text);
    }
  }
  return fenced;
}

function cut(text: string): string {
  const chars = [...text];
  if (chars.length <= TITLE_CHARS) return text;
  const short = chars.slice(0, TITLE_CHARS - 1).join("");
  // A word is cut only where it is most of the title.
  const whole = /^(.*\S) +\S*$/.exec(short)?.[1];
  const isEnough =
    whole !== undefined && Buffer.byteLength(whole) >= (Buffer.byteLength(short) * 2) / 3;
  return `${isEnough ? whole : short}…`;
}

/** SECURITY: no control characters, and none that turn the direction of the text around. */
function plain(text: string): string {
  return text
    .replace(/[\p{Cc}\u00a0]/gu, " ")
    .replace(/[\u200b-\u200f\u2028-\u202e\u2060-\u206f\u061c\ufeff]/g, "")
    .replace(/ +/g, " ")
    .replace(/^ | $/g, "");
}

function stripped(line: string): string {
  let text = plain(line);
  for (let before = ""; before !== text; ) {
    before = text;
    text = text
      .replace(/^#+ /, "")
      .replace(/^> ?/, "")
      .replace(/^[-*+] /, "")
      .replace(/^\d+[.)] /, "")
      .replace(/^\[[ xX]\] /, "");
  }
  text = text
    .replace(/^[-*_= ]+$/, "")
    .replace(/ #+$/, "")
    .replace(/^#+$/, "");
  const parts: string[] = [];
  let pos = 0;
  while (pos < text.length) {
    const rest = text.slice(pos);
    const open = /`+/.exec(rest);
    const inside = open === null ? 0 : open.index + open[0].length;
    const stop = open === null ? -1 : rest.indexOf(open[0], inside);
    if (open === null || stop === -1) {
      parts.push(unmarked(rest));
      break;
    }
    parts.push(unmarked(rest.slice(0, open.index)), rest.slice(inside, stop));
    pos += stop + open[0].length;
  }
  return parts.join("").replace(/ +/g, " ").replace(/^ | $/g, "");
}

/** Text outside of code, without marks of links and emphasis. */
function unmarked(text: string): string {
  return text
    .replace(/!?\[([^[\]]*)\]\([^()]*\)/g, "$1")
    .replace(/<(https?:\/\/[^<>]*)>/g, "$1")
    .replace(/~~([^~]+)~~/g, "$1")
    .replace(/(\*+)([^ *][^*]*)(\*+)/g, (whole, open: string, inner: string, close: string) =>
      open === close && !inner.endsWith(" ") ? inner : whole,
    )
    .replace(
      /(_+)([^ _][^_]*)(_+)/g,
      (whole, open: string, inner: string, close: string, at: number, all: string) => {
        const around = all.charAt(at - 1) + all.charAt(at + whole.length);
        return open === close && !inner.endsWith(" ") && !/[A-Za-z0-9]/.test(around)
          ? inner
          : whole;
      },
    );
}
