/**
 * The offline model: a scripted server that speaks the Responses API. It gives the bundled tour
 * to people without a key, and stands for OpenAI's model, and for nothing else, in the tests.
 *
 * It must not be part of the host.
 */
export { type ModelServer, startModelServer } from "./model-server.ts";
export { tour } from "./tour.ts";
