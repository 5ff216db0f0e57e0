/**
 * What went out, and what was refused: for the transcript, the winbar and the audit log.
 *
 * Each call that was allowed tells of `model_request` once its body has gone out and ends with one
 * of `model_done`, `model_failed`, `model_aborted` or `model_refused`.
 */
export type EgressEvent =
  /** A call's request is on its way; `bytes` is the size of its body. */
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
  /** The upstream could not be reached, refused, or failed after it was reached. */
  | {
      readonly type: "model_failed";
      readonly id: number;
      readonly kind: ModelFailureKind;
      /**
       * A sentence for the user. SECURITY: it may quote the upstream, on one line, shortened and
       * without control characters; never the key.
       */
      readonly message: string;
      /** Where the upstream answered: its status. */
      readonly status?: number;
    }
  | {
      readonly type: "model_done";
      readonly id: number;
      readonly bytesIn: number;
      readonly ms: number;
      /** Where the answer told it. */
      readonly usage?: CallUsage;
    }
  /** Codex broke the call off, as it does when a turn is interrupted, or the last turn ended. */
  | {
      readonly type: "model_aborted";
      readonly id: number;
      readonly by: "client" | "turn_end";
      readonly bytesIn: number;
      readonly ms: number;
      readonly usage?: CallUsage;
    }
  /** A call on the model's port that is none of the calls in use, or over a limit. */
  | {
      readonly type: "model_refused";
      /** SECURITY: it may quote a word of the sandbox's, shortened and in plain letters. */
      readonly reason: string;
      /** Whether it was what the call says, and not that it came. */
      readonly isOdd?: true;
      readonly omitted?: number;
    }
  /** A connection to another host than the model's is open. */
  | {
      readonly type: "network_allowed";
      readonly id: number;
      readonly host: string;
      readonly port: number;
      readonly method: string;
      readonly by: DecidedBy;
    }
  /** It is over; bytes as they went over the network. */
  | {
      readonly type: "network_done";
      readonly id: number;
      readonly host: string;
      readonly port: number;
      readonly by: DecidedBy;
      readonly bytesIn: number;
      readonly bytesOut: number;
      readonly ms: number;
      /** Which limit ended it. */
      readonly cut?: "idle" | "bytes";
    }
  /** Something inside asked for another host; SECURITY: its own words, shortened and made visible. */
  | {
      readonly type: "network_refused";
      readonly host: string;
      readonly port: number;
      readonly method: string;
      /** Completes "access to … is refused: ". */
      readonly reason: string;
      readonly by: DecidedBy;
      /** How many refusals before this one were not told, because there were too many. */
      readonly omitted?: number;
    }
  | { readonly type: "relay_closed"; readonly reason: string };

/** What failed of a model call, by who has to fix it. */
export type ModelFailureKind =
  /** No key could be had. */
  | "authorization"
  /** The name is unknown, nothing listens, no route, or the connection broke before an answer. */
  | "unreachable"
  /** The upstream's certificate is not trusted, or it speaks no TLS. */
  | "tls"
  | "redirect"
  /** An answer that cannot be passed on: no HTTP, or encoded so that the key could hide in it. */
  | "answer"
  /** The upstream answered 4xx or 5xx; the answer was passed on. */
  | "status"
  /** The answer broke off in the middle. */
  | "cut"
  /** More was exchanged than a turn may. */
  | "limit"
  /** Nothing came for the whole of `responseIdleMs`. */
  | "timeout";

/** Why the relay could not be attached. */
export type EgressError = {
  readonly kind: "relay_failed";
  readonly message: string;
  readonly fix: string;
};

/**
 * Who allowed a connection, or refused it: "nobody" where the user was asked and did not answer,
 * "policy" where nobody may be asked.
 */
export type DecidedBy =
  | "config"
  | "project"
  | "conversation"
  | "turn"
  | "user"
  | "nobody"
  | "policy";

/** Tokens that a call took, as the model's endpoint counts them. */
export type CallUsage = { readonly input: number; readonly output: number; readonly total: number };
