import type { Result } from "../result.ts";

/** Why the editor did not do what it was asked. */
export type EditorError =
  /** The connection has ended: Neovim is gone, or is going. */
  | { readonly kind: "closed"; readonly message: string }
  /** Lua raised an error, or the API refused. */
  | { readonly kind: "failed"; readonly message: string; readonly cause: unknown }
  /** The answer has another shape than it should. */
  | { readonly kind: "garbled"; readonly message: string };

/** Sends a request to Neovim's API. */
export type EditorRequest = (
  method: string,
  args: unknown[],
) => Promise<Result<unknown, EditorError>>;
