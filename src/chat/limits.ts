/**
 * Limits on what the sandbox can put into a conversation. SECURITY: every program inside can forge
 * Codex's messages as fast as it can write; without limits that exhausts the editor's memory and
 * time.
 *
 * Each limit is far above what a real turn needs. Sizes are in UTF-16 units unless stated
 * otherwise. What exceeds a limit is left out, with a note of how much; a question that exceeds one
 * is declined.
 */

/**
 * The longest line of the model's text; longer ones are broken. Neovim's cost for a change grows
 * with the length of its line. The longest lines of real answers are table rows of some 2,000
 * characters.
 */
export const maxProseLine = 20_000;

/**
 * The most columns of a line with tabs, wide letters or combining marks: with 20,000, Neovim 0.10
 * takes no key for seconds.
 */
export const maxOddColumns = 5000;

/** The deepest nesting of quotations and list items in a line; Neovim crashes at 254. */
export const maxNested = 50;

/**
 * The longest message, reasoning or plan. An answer of 128,000 tokens has about 600,000 characters.
 */
export const maxTextChars = 4 * 1024 ** 2;

/** The most lines of such a text; 128,000 tokens of short code lines make 15,000. */
export const maxTextLines = 100_000;

/**
 * The most that one query of the user may add to the text, by all turns that it leads to, including
 * a goal's. A command takes one to four blocks; an agent that works all day runs some 2,000
 * commands.
 */
export const maxTurnBlocks = 20_000;
export const maxTurnChars = 16 * 1024 ** 2;
export const maxTurnLines = 400_000;

/**
 * The share of these limits for each rank, in the order in which content is left out: Codex's
 * actions, its text, its questions, the end of the turn. So a turn with too many commands still has
 * an answer.
 */
export const shareOf = {
  steps: 1,
  words: 1.25,
  asks: 1.5,
  end: 1.75,
  /** The note that something was left out. */
  note: Number.POSITIVE_INFINITY,
} as const;

/** The most notices per query; a real turn has a handful. */
export const maxTurnNotes = 100;

/** The most items open at a time: Codex runs some ten commands in parallel. */
export const maxOpenItems = 100;

/**
 * The largest size of an item that is kept until it completes, of a patch that is still being
 * written, and of a completed item.
 */
export const maxOpenItemChars = 1024 ** 2;
export const maxUpdateChars = 128 * 1024;
export const maxItemChars = 8 * 1024 ** 2;

/** The most files shown per patch; the model writes a patch in one response. */
export const maxPatchFiles = 300;

/** The most steps shown of a plan; real ones have about ten. */
export const maxPlanSteps = 200;

/**
 * The most characters shown of a command that needs no approval; it may contain a file as a
 * heredoc.
 */
export const maxCommandChars = 100_000;

/**
 * The most that a question may show in total. The user must see everything that is asked for, so a
 * longer question is declined. The model cannot write a script or a patch of this size.
 */
export const maxAskedChars = 1024 ** 2;
/** The most questions per query, answered or not. */
export const maxTurnAsked = 1000;
