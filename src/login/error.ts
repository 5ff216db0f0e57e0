/** Why there is no login to use, phrased for the user. */
export type LoginError = {
  readonly kind: /** Nobody has logged in. */
    | "no_login"
    /** The login file cannot be read, or other users can read it. */
    | "login_unreadable"
    /** The service no longer accepts the login; only a new one helps. */
    | "login_expired"
    /** The login could not be renewed now. */
    | "login_refresh"
    /** Codex's login did not start or did not succeed. */
    | "login_failed";
  readonly message: string;
  readonly fix: string;
};

export const LOG_IN = "Log in with :CodexChat login.";
export const LOG_IN_AGAIN = "Log in again with :CodexChat login.";
