/**
 * Makes `doc/tags` as `:helptags` does, without a Neovim, so that `:help codex-chat` works wherever the
 * plugin was built, whatever puts it on 'runtimepath'.
 */

/**
 * @param {Readonly<Record<string, string>>} files the texts of help files, by name
 * @returns {string} the content of the tags file
 */
export function helpTags(files) {
  /** @type {string[]} */
  const lines = [];
  for (const [name, text] of Object.entries(files))
    for (const tag of tagsIn(text))
      lines.push(`${tag}\t${name}\t/*${tag.replace(/[\\/]/g, "\\$&")}*`);
  // By bytes, as Neovim looks them up.
  lines.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  return lines.map((line) => `${line}\n`).join("");
}

/**
 * The tags of a help file: `*name*` with blanks around it, in an example as well.
 * @param {string} text
 */
function* tagsIn(text) {
  for (const [, tag] of text.matchAll(/(?<!\S)\*([^\s|*]+)\*(?!\S)/g))
    if (tag !== undefined) yield tag;
}
