/** What a program in the sandbox can find out and do about Codex, as JavaScript for its node. */

/** Codex's process as `pid`, and the model's endpoint as `base`. No single quotes: for `node -e`. */
export const FIND_CODEX = `
  const fs = require("fs");
  const line = (pid) => { try { return fs.readFileSync("/proc/" + pid + "/cmdline", "utf8"); } catch { return ""; } };
  const pid = fs.readdirSync("/proc").find((it) => /^\\d+$/.test(it) && /^[^\\0]*codex\\0/.test(line(it)) && line(it).includes("app-server"));
  const base = /base_url="([^"]+)"/.exec(line(pid))[1];
  const ask = (body) => fetch(base + "/responses", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ model: "gpt-5.5", stream: true, store: false, ...body }),
  });
`;
