import type { ParamsOf, ResultOf } from "../../codex/index.ts";
import type { Result } from "../../result.ts";
import type { Failure } from "../failure.ts";
import type { LoadedThread } from "./loaded-thread.ts";

type Client = LoadedThread["client"];
type Started = Result<ResultOf<"thread/start">, Failure>;

/**
 * A thread that Codex starts while the user types the first query. Until that is sent it belongs to no
 * conversation, and no document names it: Codex keeps no thread that has had no turn.
 */
export class ThreadAhead {
  #ahead:
    | { readonly client: Client; readonly key: string; readonly started: Promise<Started> }
    | undefined;

  /** Starts one, unless one with these parameters waits already. */
  begin(client: Client, params: ParamsOf<"thread/start">): void {
    const key = JSON.stringify(params);
    if (this.#ahead?.client === client && this.#ahead.key === key) return;
    const started = client.request("thread/start", params);
    // A failure is met again by the turn, which starts a thread of its own then.
    started.catch(() => {});
    this.#ahead = { client, key, started };
  }

  /** Nobody will take it: Codex need not keep it loaded. */
  leave(): void {
    const ahead = this.#ahead;
    this.#ahead = undefined;
    const unload = async (started: Started) => {
      if (started.ok)
        await ahead?.client.request("thread/unsubscribe", { threadId: started.value.thread.id });
    };
    void ahead?.started.then(unload).catch(() => {});
  }

  /** Hands it over, once; undefined if none was started in this app-server with these parameters. */
  async take(
    client: Client,
    params: ParamsOf<"thread/start">,
  ): Promise<ResultOf<"thread/start"> | undefined> {
    const ahead = this.#ahead;
    this.#ahead = undefined;
    if (ahead?.client !== client || ahead.key !== JSON.stringify(params)) return undefined;
    const started = await ahead.started;
    return started.ok ? started.value : undefined;
  }
}
