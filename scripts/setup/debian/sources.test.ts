import { describe, expect, it } from "vitest";
import {
  type AptSource,
  formatSource,
  mirrorOf,
  parseDeb822Sources,
  parseOneLineSources,
  securityOf,
} from "./sources.ts";

const KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg";

const DEB822 = `Types: deb deb-src
# the archive as of some day
URIs: http://mirror.test/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: ${KEYS}

Types: deb
URIs: http://mirror.test/debian-security
Suites: bookworm-security
Components: main

Enabled: no
Types: deb
URIs: http://off.test/debian
Suites: bookworm
Components: main

Types: deb-src
URIs: http://src.test/debian
Suites: bookworm
Components: main
`;

describe("reading apt's sources", () => {
  it("reads stanzas, except disabled ones and those of source packages", () => {
    expect(parseDeb822Sources(DEB822)).toEqual([
      {
        uri: "http://mirror.test/debian",
        suites: ["bookworm", "bookworm-updates"],
        components: ["main", "contrib"],
        signedBy: KEYS,
      },
      {
        uri: "http://mirror.test/debian-security",
        suites: ["bookworm-security"],
        components: ["main"],
        signedBy: undefined,
      },
    ]);
  });

  it("keeps a key that stands in the stanza itself", () => {
    const [source] = parseDeb822Sources(
      "Types: deb\nURIs: http://m.test/debian\nSuites: trixie\nComponents: main\nSigned-By:\n -----BEGIN\n .\n abc\n -----END\n",
    );
    expect(source?.signedBy).toBe("-----BEGIN\n .\n abc\n -----END");
  });

  it("reads lines with and without options, and no comments", () => {
    const text = `# deb http://no.test/debian bookworm main
deb [arch=amd64 signed-by=${KEYS}] http://mirror.test/debian bookworm main # why
 deb cdrom:[Debian]/ bookworm main
deb-src http://src.test/debian bookworm main
`;
    expect(parseOneLineSources(text)).toEqual([
      {
        uri: "http://mirror.test/debian",
        suites: ["bookworm"],
        components: ["main"],
        signedBy: KEYS,
      },
      { uri: "cdrom:[Debian]/", suites: ["bookworm"], components: ["main"], signedBy: undefined },
    ]);
  });
});

describe("choosing the archive", () => {
  const source = (uri: string, suite: string, signedBy?: string): AptSource => ({
    uri,
    suites: [suite],
    components: ["main"],
    signedBy,
  });

  it("takes the one with Debian's keys if another offers a suite of that name", () => {
    const sources = [
      source("http://vendor.test/apt", "bookworm", "/usr/share/keyrings/vendor.gpg"),
      source("http://mirror.test/mirrors/deb", "bookworm", KEYS),
    ];
    expect(mirrorOf(sources, "bookworm")?.uri).toBe("http://mirror.test/mirrors/deb");
  });

  it("takes the one at a path named debian if no keys are named", () => {
    const sources = [
      source("http://vendor.test/apt", "bookworm"),
      source("http://mirror.test/debian/", "bookworm"),
    ];
    expect(mirrorOf(sources, "bookworm")?.uri).toBe("http://mirror.test/debian/");
  });

  it("prefers the release's name to stable, which vendors use for their own", () => {
    const sources = [
      source("http://vendor.test/chrome", "stable"),
      source("http://mirror.test/pool", "bookworm"),
    ];
    expect(mirrorOf(sources, "bookworm")?.uri).toBe("http://mirror.test/pool");
  });

  it("finds none on a machine that was installed from a disc", () => {
    expect(mirrorOf([source("cdrom:[Debian]/", "bookworm")], "bookworm")).toBeUndefined();
  });

  it("finds the archive of security updates", () => {
    expect(securityOf(parseDeb822Sources(DEB822), "bookworm")?.uri).toBe(
      "http://mirror.test/debian-security",
    );
  });

  it("writes a stanza for other suites that reads back the same", () => {
    const mirror = source("http://mirror.test/debian", "bookworm", KEYS);
    const text = formatSource(mirror, ["trixie", "trixie-updates"]);
    expect(parseDeb822Sources(text)).toEqual([{ ...mirror, suites: ["trixie", "trixie-updates"] }]);
  });
});
