/**
 * A shell in the sandbox for the user: starts it and filters its output for the terminal.
 *
 * It must not know what the shell is used for, and passes on no terminal sequence that acts on the
 * host.
 */
export { runShell, ShellOptions } from "./shell.ts";
