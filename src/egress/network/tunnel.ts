import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { err, ok, type Result } from "../../result.ts";
import { MAX_HELLO_BYTES, readClientHello } from "./client-hello.ts";
import type { FirstBytes } from "./first-bytes.ts";
import { parseHost, type Target } from "./target.ts";

/** How many first bytes are collected: the hello and its record headers. */
export const MAX_FIRST_BYTES = MAX_HELLO_BYTES + 256;

/**
 * Waits for a tunnel client's ClientHello and checks that it names the tunnel's target. The error
 * completes "access to … is refused: ".
 *
 * SECURITY: nothing is passed on in either direction before this has succeeded. A server may have
 * many names, so that another name in the hello would reach another site at the same address. Only
 * TLS may pass, since other protocols do not show the name.
 */
export function checkServerName(
  target: Target,
  first: FirstBytes,
  upstream: Socket,
  helloMs: number,
): Promise<Result<void, string>> {
  return new Promise((resolve) => {
    const settle = (result: Result<void, string>) => {
      clearTimeout(timer);
      upstream.off("close", cut);
      first.onChange = () => {};
      resolve(result);
    };
    const late = `no TLS ClientHello came within ${helloMs / 1000} s`;
    const timer = setTimeout(() => settle(err(late)), helloMs);
    const look = () => {
      const hello = readClientHello(first.bytes);
      if (hello.state === "wrong") settle(err(`a tunnel is for TLS, and ${hello.why}`));
      else if (hello.state === "whole") settle(agrees(target, hello.serverName));
      else if (first.isFull) settle(err("its ClientHello is too large, or in too many pieces"));
      else if (first.gone.aborted) settle(err("the client went away"));
    };
    const cut = () => settle(err("the connection was cut meanwhile"));
    upstream.once("close", cut);
    first.onChange = look;
    if (upstream.destroyed) cut();
    else look();
  });
}

function agrees(target: Target, serverName: string | undefined): Result<void, string> {
  if (serverName === undefined)
    return target.isAddress
      ? ok()
      : err("its TLS ClientHello names no server (SNI), so that its site cannot be checked");
  const named = parseHost(serverName);
  if (named?.host === target.host && named.isAddress === target.isAddress) return ok();
  return err("its TLS ClientHello names another server (SNI) than the tunnel was asked for");
}

/** A stream that may be able to end once what was written has been sent. */
type Ending = Duplex & { readonly destroySoon?: () => void };

/** Carries bytes both ways until both sides have ended, or one breaks. */
export function splice(inside: Ending, upstream: Socket, first: Buffer): void {
  upstream.once("close", () => endAfter(upstream, inside));
  inside.once("close", () => endAfter(inside, upstream));
  if (first.length > 0) upstream.write(first);
  inside.pipe(upstream);
  upstream.pipe(inside);
}

/** If one side ended cleanly, the other still gets all of it; if it broke, the other breaks too. */
function endAfter(gone: Duplex, other: Ending): void {
  if (gone.readableEnded && other.destroySoon !== undefined) other.destroySoon();
  else other.destroy();
}
