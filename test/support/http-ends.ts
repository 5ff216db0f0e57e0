/** What of an HTTP connection's bytes a server takes for a second request: what follows the first. */
export function behindFirst(bytes: string): string {
  const end = bytes.indexOf("\r\n\r\n") + 4;
  const head = bytes.slice(0, end);
  const rest = bytes.slice(end);
  const length = /^content-length: *(\d+)/im.exec(head)?.[1];
  if (length !== undefined) return rest.slice(Number(length));
  if (!/^transfer-encoding: *chunked/im.test(head)) return rest;
  const last = rest.indexOf("0\r\n\r\n");
  return last === -1 ? "" : rest.slice(last + 5);
}
