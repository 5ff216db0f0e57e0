import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { err, ok, type Result } from "../../result.ts";
import { MAX_HELLO_BYTES, readClientHello } from "./client-hello.ts";
import type { FirstBytes } from "./first-bytes.ts";
import { parseHost, type Target } from "./target.ts";

/** How much of a connection's beginning is looked at: the hello and the headers of its records. */
export const MAX_FIRST_BYTES = MAX_HELLO_BYTES + 256;

/**
 * Waits until a tunnel's client has said whom it speaks with, and checks that it is the tunnel's
 * target. The error completes "access to … is refused: ".
 *
 * SECURITY: nothing of either side is passed on before this has succeeded. A server has many names,
 * so that another one in the hello would reach another site behind the same address. Only TLS goes
 * through: in anything else we could not see the name.
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
      : err("its TLS ClientHello names no server (SNI), so that it cannot be told which it is for");
  const named = parseHost(serverName);
  if (named?.host === target.host && named.isAddress === target.isAddress) return ok();
  return err("its TLS ClientHello names another server (SNI) than the tunnel was asked for");
}

/** A stream that can end after what was written is sent. */
type Ending = Duplex & { readonly destroySoon?: () => void };

/** Carries bytes both ways until both sides have ended, or one breaks. */
export function splice(inside: Ending, upstream: Socket, first: Buffer): void {
  upstream.once("close", () => endAfter(upstream, inside));
  inside.once("close", () => endAfter(inside, upstream));
  if (first.length > 0) upstream.write(first);
  inside.pipe(upstream);
  upstream.pipe(inside);
}

/** What one side sent to its end still reaches the other; what it broke off, the other hears of. */
function endAfter(gone: Duplex, other: Ending): void {
  if (gone.readableEnded && other.destroySoon !== undefined) other.destroySoon();
  else other.destroy();
}
