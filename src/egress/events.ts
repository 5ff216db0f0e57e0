/**
 * What went out and what was refused: for the transcript, the winbar and the audit log.
 *
 * Each call that was allowed emits `model_request` once its body has been sent, and ends with one
 * of `model_done`, `model_failed`, `model_aborted` or `model_refused`.
 */
export type EgressEvent =
  /** A call's request is being sent; `bytes` is the size of its body. */
  | { readonly type: "model_request"; readonly id: number; readonly bytes: number }
  | {
      readonly type: "model_response";
      readonly id: number;
      readonly status: number;
      /** From the Retry-After header. */
      readonly retryAfterMs?: number;
    }
  /** The model has sent nothing for `ms`; emitted once per silence. */
  | { readonly type: "model_silence"; readonly id: number; readonly ms: number }
  /** The upstream could not be reached, refused, or failed after it was reached. */
  | {
      readonly type: "model_failed";
      readonly id: number;
      readonly kind: ModelFailureKind;
      /**
       * A sentence for the user. SECURITY: it may quote the upstream, on one line, shortened, and
       * without control characters; never the key.
       */
      readonly message: string;
      /** The upstream's status, if it answered. */
      readonly status?: number;
    }
  | {
      readonly type: "model_done";
      readonly id: number;
      readonly bytesIn: number;
      readonly ms: number;
      /** Absent if the answer did not report it. */
      readonly usage?: CallUsage;
    }
  /** Codex closed the call, as it does when a turn is interrupted, or the last turn ended. */
  | {
      readonly type: "model_aborted";
      readonly id: number;
      readonly by: "client" | "turn_end";
      readonly bytesIn: number;
      readonly ms: number;
      readonly usage?: CallUsage;
    }
  /** A request on the model's port that is not one of the calls in use, or that exceeds a limit. */
  | {
      readonly type: "model_refused";
      /** SECURITY: it may quote a word from the sandbox, shortened and in printable ASCII. */
      readonly reason: string;
      /** Set if the call was refused for its body, and not for its path, time or size. */
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
  /** The connection has closed; bytes are counted as they went over the network. */
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
  /**
   * Something inside asked for a host and was refused. SECURITY: host and method are its own words.
   */
  | {
      readonly type: "network_refused";
      readonly host: string;
      readonly port: number;
      readonly method: string;
      /** Completes "access to … is refused: ". */
      readonly reason: string;
      readonly by: DecidedBy;
      /** How many refusals before this one were left out because there were too many. */
      readonly omitted?: number;
    }
  | { readonly type: "relay_closed"; readonly reason: string };

/** Why a model call failed; each kind has a different remedy. */
export type ModelFailureKind =
  /** There was no key to send. */
  | "authorization"
  /** The name is unknown, nothing listens, no route, or the connection broke before an answer. */
  | "unreachable"
  /** The upstream's certificate is not trusted, or it does not speak TLS. */
  | "tls"
  | "redirect"
  /**
   * The answer cannot be passed on: it is not HTTP, or is encoded so that the key could hide in it.
   */
  | "answer"
  /** The upstream answered 4xx or 5xx; the answer was passed on. */
  | "status"
  /** The answer broke off in the middle. */
  | "cut"
  /** The turn's limit was exceeded. */
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
 * Who allowed or refused a connection: "nobody" if the user was asked and did not answer, "policy"
 * if the user may not even be asked.
 */
export type DecidedBy =
  | "config"
  | "project"
  | "conversation"
  | "turn"
  | "user"
  | "nobody"
  | "policy";

/** The tokens of one call, as the model's endpoint counts them. */
export type CallUsage = { readonly input: number; readonly output: number; readonly total: number };
