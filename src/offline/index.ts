/**
 * The offline model: a scripted server that speaks the Responses API. It gives the bundled tour
 * to people without a key, and stands for OpenAI's model, and for nothing else, in the tests.
 */
export {
  type ModelScript,
  type ModelServer,
  type RecordedRequest,
  startModelServer,
} from "./model-server.ts";
export {
  applyPatch,
  cutConnection,
  endingIn,
  exec,
  functionCall,
  garbage,
  httpBody,
  httpError,
  message,
  type Part,
  type Reply,
  rawEvent,
  reasoning,
  reply,
  script,
  silence,
  updatePlan,
} from "./reply.ts";
export { ModelRequest } from "./request.ts";
export { tour } from "./tour.ts";
