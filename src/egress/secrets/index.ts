/**
 * Finds secrets in a stream, however they are spelled or encoded, and redacts them.
 *
 * Must not log anything, or keep anything beyond the stream.
 */
export { Redactor, secretsOf } from "./redact.ts";
