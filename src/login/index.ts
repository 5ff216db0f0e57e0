/**
 * The ChatGPT login on the host: runs Codex's own login in a home directory of the plugin, and
 * renews the access token before it expires.
 *
 * Must not know Neovim, Docker or conversations. A token leaves only as a header for the model's
 * endpoint.
 */
export { type LoginAttempt, logout, startLogin } from "./codex-login.ts";
export {
  type LoginEvent,
  type LoginState,
  type LoginTools,
  TokenRefresher,
} from "./token-refresher.ts";
