/**
 * What every folder logs through; pino's own shape, so that a pino logger is one.
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
