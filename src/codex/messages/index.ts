/**
 * The notifications and items that Codex sends, parsed and bounded.
 *
 * It keeps no state and knows nothing of a document.
 */
export { type FailedCall, FailedCalls } from "./failed-call.ts";
export { type FileUpdateChange, Item } from "./item.ts";
export {
  parseNotification,
  queryOf,
  type RateLimits,
  type ServerNotification,
  type TurnError,
  threadOf,
} from "./notification.ts";
