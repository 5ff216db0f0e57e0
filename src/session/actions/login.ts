import { ok } from "../../result.ts";
import type { ActionHandlers } from "./action.ts";

/** Logging in to ChatGPT and out again, for all projects at once. No token is ever answered. */
export const loginActions = {
  "login/start": ({ host }, { way }) => host.account.start(way),
  /** Answers when the user has finished in the browser, or not in time. */
  "login/finish": async ({ host }) => {
    const state = await host.account.finished();
    if (!state.ok) return state;
    const { email = "", plan = "" } = state.value;
    host.audit.record({ event: "credential", action: "login", source: "ChatGPT login" });
    return ok({ email, plan, isUsed: host.settings.auth === "login" });
  },
  "login/cancel": async ({ host }) => {
    host.account.cancel();
    return ok();
  },
  "login/end": async ({ host }) => {
    const before = await host.account.keeper.state();
    const done = await host.account.logout();
    host.audit.record({
      event: "credential",
      action: "logout",
      source: "ChatGPT login",
      ...(done.ok ? {} : { reason: done.error.kind }),
    });
    if (!done.ok) return done;
    return ok({ was: before.ok ? (before.value?.email ?? "") : "" });
  },
} satisfies Partial<ActionHandlers>;
