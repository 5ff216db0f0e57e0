import type { Log } from "../log.ts";
import type { EgressEvent } from "./events.ts";

/** Refusals that are reported at once, and how long it takes until one more may be. */
const BURST = 30;
const REFILL_MS = 2_000;

/**
 * Passes events on; an exception in the listener is logged and ends no call.
 *
 * SECURITY: programs inside cause refusals at any rate they like. A flood is cut down so that it
 * drowns neither the transcript nor the log; the next refusal says how many were left out.
 */
export function eventSink(
  onEvent: (event: EgressEvent) => void,
  log: Log,
  now: () => number = () => performance.now(),
): (event: EgressEvent) => void {
  let tokens = BURST;
  let refilledAt = now();
  let omitted = 0;
  const emit = (event: EgressEvent) => {
    try {
      onEvent(event);
    } catch (thrown) {
      log.error({ err: thrown, type: event.type }, "a listener of egress events failed");
    }
  };
  return (event) => {
    if (event.type !== "network_refused" && event.type !== "model_refused") return emit(event);
    const refilled = Math.floor((now() - refilledAt) / REFILL_MS);
    tokens = Math.min(BURST, tokens + refilled);
    refilledAt += refilled * REFILL_MS;
    if (tokens === 0) {
      omitted++;
      return;
    }
    tokens--;
    emit(omitted === 0 ? event : { ...event, omitted });
    omitted = 0;
  };
}
