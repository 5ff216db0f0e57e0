/**
 * HTTP with a hostile client: a server over streams, bounded bodies, refusals in printable text.
 *
 * Must not know where a request goes.
 */
export { cutResponse, refuse, tooLarge } from "./http-refusal.ts";
export { createService } from "./http-service.ts";
export { printable, printableSentence } from "./printable.ts";
export { readBody } from "./request-body.ts";
