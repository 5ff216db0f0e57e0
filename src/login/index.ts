/**
 * The ChatGPT login, on the host alone: Codex's own login in a home of the plugin's, and the access
 * token that it leaves, renewed before it expires.
 *
 * It must not know Neovim, Docker or conversations. A token leaves it in one way only: as a header for
 * the model's endpoint.
 */
export { type LoginAttempt, logout, startLogin } from "./codex-login.ts";
export {
  type LoginEvent,
  type LoginState,
  type LoginTools,
  TokenRefresher,
} from "./token-refresher.ts";
