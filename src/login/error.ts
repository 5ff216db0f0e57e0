/** Why there is no login to use, in words for the user. */
export type LoginError = {
  readonly kind: /** Nobody has logged in. */
    | "no_login"
    /** What the login left cannot be read, or by too many. */
    | "login_unreadable"
    /** The service takes the login no more: only a new one helps. */
    | "login_expired"
    /** It could not be renewed now. */
    | "login_refresh"
    /** Codex's login did not start, or did not succeed. */
    | "login_failed";
  readonly message: string;
  readonly fix: string;
};

export const LOG_IN = "Log in with :CodexChat login.";
export const LOG_IN_AGAIN = "Log in again with :CodexChat login.";
