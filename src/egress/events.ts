/** What went out, and what was refused: for the transcript, the winbar and the audit log. */
export type EgressEvent =
  | { readonly type: "model_request"; readonly id: number; readonly bytes: number }
  | {
      readonly type: "model_response";
      readonly id: number;
      readonly status: number;
      /** From the Retry-After header. */
      readonly retryAfterMs?: number;
    }
  /** The model has sent nothing for `ms`; told once until it sends again. */
  | { readonly type: "model_silence"; readonly id: number; readonly ms: number }
  /** The upstream failed after it was reached, or could not be reached. */
  | {
      readonly type: "model_failed";
      readonly id: number;
      readonly kind: "unreachable" | "tls" | "redirect" | "cut" | "timeout" | "body";
      readonly message: string;
    }
  | {
      readonly type: "model_done";
      readonly id: number;
      readonly bytesIn: number;
      readonly ms: number;
    }
  /** A call on the model's port that is none of the calls in use, or over a limit. */
  | { readonly type: "model_refused"; readonly reason: string }
  /** Something inside asked for another host; SECURITY: its own words, shortened and made visible. */
  | {
      readonly type: "network_refused";
      readonly host: string;
      readonly port: number;
      readonly method: string;
    }
  | { readonly type: "relay_closed"; readonly reason: string };

/** Why the relay could not be attached. */
export type EgressError = {
  readonly kind: "relay_failed";
  readonly message: string;
  readonly mend: string;
};
