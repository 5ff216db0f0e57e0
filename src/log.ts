/**
 * The log that every folder writes to: data first, then what happened, as with pino.
 * Secrets, file contents and what the user typed are never logged above "debug".
 */
export interface Log {
  debug(data: object, message: string): void;
  info(data: object, message: string): void;
  warn(data: object, message: string): void;
  error(data: object, message: string): void;
}

/** Logs nothing. */
export const silentLog: Log = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
};
