/**
 * An entry of the audit log, discriminated by `event`. Times are in milliseconds, sizes in bytes.
 *
 * SECURITY: `command` and `patch` record what Codex reports. A program inside may forge them, or
 * act without reporting. It cannot forge what the host itself decided or did (`approval`,
 * `network`, `model_request`, `self_test`, `protected_file`, `git_transfer`, `credential`,
 * `sandbox`), only cause it.
 */
export type AuditEntry = AuditPlace &
  (
    | {
        readonly event: "command";
        readonly command: string;
        readonly cwd?: string | undefined;
        /** Who ran it, as Codex puts it: "agent", "userShell". */
        readonly source?: string | undefined;
        /** Codex's status of the command, or "unfinished" if its end was not reported. */
        readonly status: string;
        readonly exitCode?: number | undefined;
        readonly ms?: number | undefined;
        /** The size of its output; the output itself is in the conversation. */
        readonly outputBytes?: number | undefined;
      }
    | {
        readonly event: "patch";
        readonly files: readonly { readonly path: string; readonly change: string }[];
        readonly status: string;
      }
    | {
        readonly event: "approval";
        /** What was asked: "command", "patch", "tool", "page", "questions", or a host to reach. */
        readonly asked: string;
        readonly about: string;
        readonly decision: string;
        /** Who decided; "nobody" if the question could no longer be answered. */
        readonly by: "user" | "rule" | "settings" | "nobody";
        /** Why nobody decided, or which rule did. */
        readonly reason?: string | undefined;
        readonly ms?: number | undefined;
      }
    | {
        readonly event: "network";
        readonly decision: "allowed" | "refused" | "failed" | "ended";
        readonly host: string;
        readonly port: number;
        readonly method?: string | undefined;
        /** What decided: a rule, or the user and for how long. */
        readonly by?: string | undefined;
        readonly address?: string | undefined;
        readonly reason?: string | undefined;
        readonly bytesOut?: number | undefined;
        readonly bytesIn?: number | undefined;
        readonly ms?: number | undefined;
        /** How many similar events before this one were left out because there were too many. */
        readonly omitted?: number | undefined;
      }
    | {
        readonly event: "model_request";
        readonly outcome: "done" | "failed" | "aborted" | "refused";
        readonly bytesOut?: number | undefined;
        readonly bytesIn?: number | undefined;
        readonly status?: number | undefined;
        /** As the response counts them, if it does. */
        readonly tokens?: number | undefined;
        readonly ms?: number | undefined;
        readonly reason?: string | undefined;
        readonly omitted?: number | undefined;
      }
    | {
        readonly event: "self_test";
        readonly passed: boolean;
        readonly runtime: string;
        readonly gvisor?: boolean | undefined;
        /** Whether this is the stored result for the same engine and runtime. */
        readonly cached?: boolean | undefined;
        readonly kernel?: string | undefined;
        /** The attacks that were attempted. */
        readonly tried?: readonly string[] | undefined;
        readonly reason?: string | undefined;
      }
    | {
        readonly event: "protected_file";
        readonly path: string;
        /** "created", "changed", "removed" or "replaced". */
        readonly change: string;
        readonly what?: string | undefined;
        /** Which program on the host runs or reads it, and when. */
        readonly runs?: string | undefined;
      }
    | {
        readonly event: "git_transfer";
        readonly outcome: "done" | "refused" | "failed";
        readonly ref?: string | undefined;
        readonly from?: string | undefined;
        readonly to?: string | undefined;
        readonly commits?: number | undefined;
        readonly bytes?: number | undefined;
        readonly reason?: string | undefined;
      }
    | {
        readonly event: "credential";
        /** "found", "refreshed", "login", "logout" or "failed"; never the credential. */
        readonly action: string;
        /** Its source: the name of a variable, "command", "login" or "none". */
        readonly source?: string | undefined;
        readonly reason?: string | undefined;
      }
    | {
        readonly event: "sandbox";
        readonly action: "started" | "joined" | "stopped" | "ended" | "failed" | "unprotected";
        readonly container?: string | undefined;
        readonly runtime?: string | undefined;
        readonly image?: string | undefined;
        readonly reason?: string | undefined;
      }
  );

/** Where something happened, as far as known. */
type AuditPlace = {
  /** Codex's id of the thread. */
  readonly thread?: string | undefined;
  /** The name of the conversation's file. */
  readonly chat?: string | undefined;
};

/** The kinds of entries. */
export type AuditEvent = AuditEntry["event"];
