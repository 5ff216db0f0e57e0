/**
 * The hosts that package tools download from, by their name in `network.allow`. Each preset has the
 * tool's default hosts only, and none where anyone can upload (a bucket, a gist), except `github`.
 */
export const PRESETS: Readonly<Record<string, readonly string[]>> = {
  /** npm and pnpm; Yarn's host serves the same registry. */
  npm: ["registry.npmjs.org", "registry.yarnpkg.com"],
  pypi: ["pypi.org", "files.pythonhosted.org"],
  crates: ["crates.io", "index.crates.io", "static.crates.io"],
  /** The module mirror and the checksum database; by default `go` needs nothing else. */
  go: ["proxy.golang.org", "sum.golang.org"],
  debian: ["deb.debian.org", "security.debian.org"],
  /** Repositories, archives, releases and the API; a program with a token can also write there. */
  github: [
    "github.com",
    "api.github.com",
    "codeload.github.com",
    "raw.githubusercontent.com",
    "objects.githubusercontent.com",
    "release-assets.githubusercontent.com",
  ],
};
