import { z } from "zod";
import { allowDockerfile } from "../backend/index.ts";
import { type Action, action } from "./action.ts";

/** The user's word that a version of the project's Dockerfile may be built. */
export const dockerfileActions: readonly Action[] = [
  action("dockerfile/allow", z.object({ hash: z.string() }), ({ host }, { hash }) =>
    allowDockerfile({ settings: host.settings, root: host.root }, hash),
  ),
];
