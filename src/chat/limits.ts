/**
 * How much the sandbox can put into a conversation. SECURITY: every program inside can forge Codex's
 * messages, as fast as it can write; without bounds that costs the editor its memory and its time.
 *
 * Each is far above what a real turn has. Sizes are in UTF-16 units, unless they say otherwise. What
 * is over one is left out with a sentence that says how much it is, or refused where the user would
 * have to decide about it.
 */

/**
 * Longest line of the model's prose; a longer one is broken into several. Neovim's cost for a change
 * grows with its line. The longest lines of real answers are tables of some 2,000.
 */
export const maxProseLine = 20_000;

/**
 * Most columns of a line with tabs, wide letters or marks over letters: Neovim 0.10 takes no key for
 * seconds at 20,000 of them.
 */
export const maxOddColumns = 5000;

/** Most quotations and list items in each other at the beginning of a line; Neovim ends at 254. */
export const maxNested = 50;

/** Longest text of one message, thought or plan. An answer of 128,000 tokens has about 600,000. */
export const maxTextChars = 4 * 1024 ** 2;

/** Most lines of such a text; an answer of 128,000 tokens that is all short lines of code has 15,000. */
export const maxTextLines = 100_000;

/**
 * Most that is put into the text for one query of the user's, by all turns that it leads to, a goal's
 * included. A command takes one to four blocks: a day's work of an agent has some 2,000 commands.
 */
export const maxTurnBlocks = 20_000;
export const maxTurnChars = 16 * 1024 ** 2;
export const maxTurnLines = 400_000;

/**
 * What counts against these, in the order in which it is left out: what Codex does; its words; what it
 * asks of the user and how its turn ends. So a turn of too many commands still has its answer.
 */
export const shareOf = {
  steps: 1,
  words: 1.25,
  asks: 1.5,
  end: 1.75,
  /** The one note that something was left out. */
  told: Number.POSITIVE_INFINITY,
} as const;

/** Most notices of one query; a real turn has a handful. */
export const maxTurnNotes = 100;

/** Most items that are open at a time: Codex runs some ten commands in parallel. */
export const maxOpenItems = 100;

/**
 * Most of an item that is kept until it completes, of a patch that is still being written, and of an
 * item that has completed.
 */
export const maxOpenItemChars = 1024 ** 2;
export const maxUpdateChars = 128 * 1024;
export const maxItemChars = 8 * 1024 ** 2;

/** Most files of one patch that are shown; a patch is what the model writes in one answer. */
export const maxPatchFiles = 300;

/** Most steps of a plan that are shown; the model's have about ten. */
export const maxPlanSteps = 200;

/** Most characters of a command that is not asked about; its script may be a heredoc of a whole file. */
export const maxCommandChars = 100_000;

/**
 * Most that a question may show, all in all. The user must see all of what is asked for, so a longer
 * question is declined. A script or a patch of that size is more than the model can write.
 */
export const maxAskedChars = 1024 ** 2;
/** Most questions of one query, answered or not. */
export const maxTurnAsked = 1000;
