/**
 * The logger of every folder; a pino logger has this shape. Secrets, file contents and the user's
 * text are never logged above "debug".
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

/**
 * What is being done, for the user to see meanwhile. A narrow window shows a shorter form, the
 * longest that fits.
 */
export type Progress = string | { readonly text: string; readonly shorter: readonly string[] };
