import type { Result } from "../result.ts";

/** Why the editor did not answer a request, or not as expected. */
export type EditorError =
  /** The connection has ended: Neovim is gone, or about to go. */
  | { readonly kind: "closed"; readonly message: string }
  /** Lua raised an error, or the API refused. */
  | { readonly kind: "failed"; readonly message: string; readonly cause: unknown }
  /** The answer has an unexpected shape. */
  | { readonly kind: "garbled"; readonly message: string };

/** Sends a request to Neovim's API. */
export type EditorRequest = (
  method: string,
  args: unknown[],
) => Promise<Result<unknown, EditorError>>;
