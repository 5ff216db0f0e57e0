import { allowDockerfile } from "../backend/index.ts";
import type { ActionHandlers } from "./action.ts";

/** Allows a version of the project's Dockerfile to be built. */
export const dockerfileActions = {
  "dockerfile/allow": ({ host }, { hash }) =>
    allowDockerfile({ settings: host.settings, root: host.root }, hash),
} satisfies Partial<ActionHandlers>;
