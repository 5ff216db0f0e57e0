import { describe, expect, it } from "vitest";
import { parseOsRelease } from "./machine.ts";

describe("reading /etc/os-release", () => {
  it("takes values with and without quotes", () => {
    const text = `PRETTY_NAME="Debian GNU/Linux 13 (trixie)"\nID=debian\nVERSION_CODENAME='trixie'\n`;
    expect(parseOsRelease(text)).toEqual({
      PRETTY_NAME: "Debian GNU/Linux 13 (trixie)",
      ID: "debian",
      VERSION_CODENAME: "trixie",
    });
  });

  it("finds nothing in an empty file", () => {
    expect(parseOsRelease("")).toEqual({});
  });
});
