import type { EgressEvent } from "../../egress/index.ts";
import type { DocumentPort } from "./ports.ts";

/** How many odd calls of the model a conversation shows; a program inside can make any number. */
const MAX_ODD = 5;
/** SECURITY: how many hosts are remembered; programs inside choose the names. */
const MAX_HOSTS = 1000;

/** What a conversation's document and status page show of the way out while its turns run. */
export class NetworkNotices {
  readonly #document: Pick<DocumentPort, "apply">;
  /** Hosts that were asked for and refused, with how often. */
  readonly #refused = new Map<string, number>();
  #odd = 0;
  #status: number | undefined;

  constructor(document: Pick<DocumentPort, "apply">) {
    this.#document = document;
  }

  /** Hosts that programs in the sandbox asked for, and how often they were refused. */
  get refusedHosts(): readonly { readonly host: string; readonly times: number }[] {
    return [...this.#refused].map(([host, times]) => ({ host, times }));
  }

  /** The HTTP status of the endpoint's last answer. */
  get status(): number | undefined {
    return this.#status;
  }

  onEgress(event: EgressEvent): void {
    switch (event.type) {
      case "network_refused":
        if (this.#refused.has(event.host) || this.#refused.size < MAX_HOSTS)
          this.#refused.set(event.host, (this.#refused.get(event.host) ?? 0) + 1);
        // The user's own refusal stands where the question was asked.
        if (event.by !== "user") this.#document.apply(event);
        break;
      case "model_refused":
        if (event.isOdd !== true || this.#odd >= MAX_ODD) break;
        this.#odd++;
        this.#document.apply({
          type: "note",
          text: `A call of the model was refused. ${capital(event.reason.replace("codex-chat: ", ""))}`,
          once: true,
        });
        break;
      case "model_silence":
        this.#document.apply({ type: "silence", of: "model", ms: event.ms });
        break;
      case "model_response":
        this.#status = event.status;
        this.#document.apply({ type: "model_status", status: event.status });
        if (event.retryAfterMs !== undefined)
          this.#document.apply({ type: "retry_after", ms: event.retryAfterMs });
        break;
      default:
        break;
    }
  }
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
