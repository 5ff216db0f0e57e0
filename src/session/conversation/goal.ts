import type { ChatEvent } from "../../chat/index.ts";
import type { ServerNotification } from "../../codex/messages/index.ts";
import type { TurnAllowance, TurnPass } from "../../egress/model/index.ts";
import type { LoadedThread } from "../thread/index.ts";

/** How the user lets a goal go on whose permission has ended. */
const RESUME = "To continue: :CodexChat goal resume.";

type Held = { readonly backend: LoadedThread["backend"]; readonly allowance: TurnAllowance };

/**
 * Whether Codex may begin turns by itself in a conversation, and how much they may take.
 *
 * SECURITY: only the user gives this permission, by setting or resuming a goal, and only the user
 * renews it. Notifications come from inside: one that says that a turn has begun or that a goal is
 * active gives nothing, and one that says that a goal is not active takes the permission back.
 */
export class Goal {
  readonly #tell: (event: ChatEvent) => void;
  #held: Held | undefined;

  constructor(tell: (event: ChatEvent) => void) {
    this.#tell = tell;
  }

  /** Whether Codex may begin turns by itself. */
  get isPursued(): boolean {
    return this.#held !== undefined;
  }

  /** The user has set a goal, or resumed it. */
  pursue(backend: LoadedThread["backend"]): void {
    this.#held = { backend, allowance: backend.egress.allowance() };
  }

  /** The user has sent something: the goal's allowance is full again. */
  renew(): void {
    this.#held?.allowance.renew();
  }

  /** The user's query goes to this backend, which may be another one by now. */
  follow(backend: LoadedThread["backend"]): void {
    if (this.#held !== undefined && this.#held.backend !== backend) this.pursue(backend);
  }

  /** The goal is over or paused, or nobody knows. */
  end(): void {
    this.#held = undefined;
  }

  /** The user has stopped the conversation; Codex is told, since it may be between two turns. */
  stop(loaded: LoadedThread | undefined): void {
    if (this.#held !== undefined && loaded !== undefined) void pause(loaded);
    this.end();
  }

  /** Takes the notifications about the goal. */
  onNotification(notification: ServerNotification): void {
    if (notification.method === "thread/goal/cleared") this.end();
    if (notification.method !== "thread/goal/updated") return;
    if (notification.params.goal.status !== "active") this.end();
  }

  /** Lets a turn that Codex has begun by itself use the model; undefined if it may not. */
  begin(loaded: LoadedThread | undefined, turnId: string): TurnPass | undefined {
    const held = this.#held;
    if (loaded === undefined) return undefined;
    if (held === undefined || held.backend !== loaded.backend) {
      // SECURITY: once, since a program inside can claim it any number of times.
      this.#note("Codex reports a turn that it began by itself, although no goal is active", true);
      return undefined;
    }
    const refusal = held.allowance.refusal();
    if (refusal === undefined) return loaded.backend.egress.beginTurn(held.allowance);
    this.end();
    this.#note(`The goal is paused: ${refusal.replace(/^codex-chat: |\.$/g, "")}`);
    void loaded.client.request("turn/interrupt", { threadId: loaded.threadId, turnId });
    void pause(loaded);
    return undefined;
  }

  #note(why: string, once = false): void {
    this.#tell({ type: "note", text: `${why}. It cannot call the model. ${RESUME}`, once });
  }
}

async function pause({ client, threadId }: LoadedThread): Promise<void> {
  await client.request("thread/goal/set", { threadId, status: "paused" });
}
