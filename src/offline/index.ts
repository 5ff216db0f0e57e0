/**
 * The offline model: a scripted server for the Responses API. It runs the bundled tour for people
 * without a key and the task of the README's picture, and replaces OpenAI's model, and nothing else, in the tests.
 *
 * Must not become part of the host.
 */
export { cartTask } from "./cart-task.ts";
export { type ModelServer, startModelServer } from "./model-server.ts";
export { tour } from "./tour.ts";
