/**
 * The offline model: a scripted server for the Responses API. It runs the bundled tour for people
 * without a key, and replaces OpenAI's model, and nothing else, in the tests.
 *
 * Must not become part of the host.
 */
export { type ModelServer, startModelServer } from "./model-server.ts";
export { tour } from "./tour.ts";
