/**
 * Finds secrets in a stream, however they are spelled, and takes them out.
 *
 * It logs nothing and keeps nothing beyond its stream.
 */
export { Redactor, secretsOf } from "./redact.ts";
