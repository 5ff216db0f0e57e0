/**
 * What tools fetch packages from, by the word that stands for it in `network.allow`. Each has the
 * tool's own default hosts and no place where anybody could put anything (a bucket, a gist).
 */
export const PRESETS: Readonly<Record<string, readonly string[]>> = {
  /** npm and pnpm; Yarn's name leads to the same. */
  npm: ["registry.npmjs.org", "registry.yarnpkg.com"],
  pypi: ["pypi.org", "files.pythonhosted.org"],
  crates: ["crates.io", "index.crates.io", "static.crates.io"],
  /** The module mirror and the checksum database; `go` asks for nothing else under its defaults. */
  go: ["proxy.golang.org", "sum.golang.org"],
  debian: ["deb.debian.org", "security.debian.org"],
  /** Repositories, archives, release files and the API: whoever has a token can also write there. */
  github: [
    "github.com",
    "api.github.com",
    "codeload.github.com",
    "raw.githubusercontent.com",
    "objects.githubusercontent.com",
    "release-assets.githubusercontent.com",
  ],
};
