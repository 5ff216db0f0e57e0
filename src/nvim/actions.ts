import * as z from "zod";
import { changeActions } from "./change-actions.ts";
import { conversationActions } from "./conversation-actions.ts";
import { sandboxActions } from "./sandbox-actions.ts";
import { AllowedHosts, Done, type Frozen, NoParams } from "./shapes.ts";

/**
 * Everything that Lua can ask of a conversation besides sending, by name: what goes with the request,
 * and what an answer holds. `true` is the answer of an action that only does something.
 */
export const actions = {
  ...conversationActions,
  ...changeActions,
  ...sandboxActions,
  "network/list": { params: NoParams, result: AllowedHosts },
  "network/forget": { params: z.object({ entry: z.string().min(1) }), result: Done },
  "goal/set": {
    params: z.object({
      objective: z.string().min(1).max(4000).optional(),
      active: z.boolean(),
    }),
    result: z.string().describe("the objective"),
  },
  "goal/clear": { params: NoParams, result: Done },
  "dockerfile/allow": { params: z.object({ hash: z.string() }), result: z.string() },
  "login/start": {
    params: z.object({ way: z.enum(["browser", "device"]) }),
    result: z.object({ url: z.string(), code: z.string().optional() }).meta({ id: "LoginTask" }),
  },
  "login/finish": {
    params: NoParams,
    result: z
      .object({
        email: z.string(),
        plan: z.string(),
        isUsed: z.boolean().describe("whether the configuration has the login used"),
      })
      .meta({ id: "LoginState" }),
  },
  "login/cancel": { params: NoParams, result: Done },
  "login/end": {
    params: NoParams,
    result: z
      .object({ was: z.string().describe("the email address, or empty") })
      .meta({ id: "EndedLogin" }),
  },
} as const;

/** The name of an action. */
export type ActionName = keyof typeof actions;
/** What goes with an action, once checked. */
export type ActionParams<N extends ActionName> = z.infer<(typeof actions)[N]["params"]>;
/** What an action answers. */
export type ActionResult<N extends ActionName> = Frozen<z.input<(typeof actions)[N]["result"]>>;
