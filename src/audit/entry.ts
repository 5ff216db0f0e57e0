/**
 * What is recorded, told apart by `event`. Times are milliseconds, sizes bytes.
 *
 * SECURITY: `command` and `patch` are what Codex says that it did, and a program inside may forge
 * them or do things that no message tells of. What the host decided or did itself (`approval`,
 * `network`, `model_request`, `self_test`, `protected_file`, `git_transfer`, `credential`,
 * `sandbox`) it cannot forge, only cause.
 */
export type AuditEntry = AuditPlace &
  (
    | {
        readonly event: "command";
        readonly command: string;
        readonly cwd?: string | undefined;
        /** Who ran it, in Codex's word: "agent", "userShell". */
        readonly source?: string | undefined;
        /** Codex's word for how it ended, or "unfinished" where nothing told of its end. */
        readonly status: string;
        readonly exitCode?: number | undefined;
        readonly ms?: number | undefined;
        /** How much it printed; what it printed is in the conversation. */
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
        /** Who decided; "nobody" where the question could not be answered any more. */
        readonly by: "user" | "rule" | "settings" | "nobody";
        /** Why nobody did, or which rule. */
        readonly reason?: string | undefined;
        readonly ms?: number | undefined;
      }
    | {
        readonly event: "network";
        readonly decision: "allowed" | "refused" | "failed" | "ended";
        readonly host: string;
        readonly port: number;
        readonly method?: string | undefined;
        /** What decided: the rule, or the user and for how long. */
        readonly by?: string | undefined;
        readonly address?: string | undefined;
        readonly reason?: string | undefined;
        readonly bytesOut?: number | undefined;
        readonly bytesIn?: number | undefined;
        readonly ms?: number | undefined;
        /** How many like it before were not told, because there were too many. */
        readonly omitted?: number | undefined;
      }
    | {
        readonly event: "model_request";
        readonly outcome: "done" | "failed" | "aborted" | "refused";
        readonly bytesOut?: number | undefined;
        readonly bytesIn?: number | undefined;
        readonly status?: number | undefined;
        /** As the answer counts them, where it does. */
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
        /** Whether it was proven earlier, for the very same engine and runtime. */
        readonly cached?: boolean | undefined;
        readonly kernel?: string | undefined;
        /** The attacks that were tried. */
        readonly tried?: readonly string[] | undefined;
        readonly reason?: string | undefined;
      }
    | {
        readonly event: "protected_file";
        readonly path: string;
        /** What became of it: "created", "changed", "removed", "replaced". */
        readonly change: string;
        readonly what?: string | undefined;
        /** What on the host runs or obeys it, and when. */
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
        /** "found", "refreshed", "login", "logout", "failed"; never what it is. */
        readonly action: string;
        /** Where from: the name of a variable, "command", "login", "none". */
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

/** Where something happened, as far as it is known. */
type AuditPlace = {
  /** Codex's id of the thread. */
  readonly thread?: string | undefined;
  /** The conversation's file. */
  readonly chat?: string | undefined;
};

/** What kinds of things are recorded. */
export type AuditEvent = AuditEntry["event"];
