/** The system's name of an error, such as EACCES; "unknown" if it has none. */
export function codeOf(cause: unknown): string {
  const code = (cause as NodeJS.ErrnoException | undefined)?.code;
  return typeof code === "string" ? code : "unknown";
}
