/** The model's endpoint can be reached only through its own port. */
import { describe, expect, it } from "vitest";
import { parseAnswer, raw } from "../../../test/support/egress.ts";
import { setUpProxy, startSite } from "../../../test/support/proxy.ts";

describe("the model's own host", () => {
  it("is refused by name on every port, even if it is allowed", async () => {
    const { link } = await setUpProxy({
      allow: ["model.test", "model.test:8443"],
      names: { "model.test": [["127.0.0.1"]] },
      baseUrl: new URL("https://model.test/v1"),
    });
    for (const port of [443, 80, 8443])
      expect(
        parseAnswer(await raw(link.proxyPort, `CONNECT MODEL.test.:${port} HTTP/1.1\r\n\r\n`)),
      ).toMatchObject({ status: 403, body: expect.stringContaining("model's endpoint") });
  });

  it("is refused by every loopback address if it is on this machine", async () => {
    const { port, requests } = await startSite();
    const hosts = ["127.0.0.1", "127.0.0.2", "[::1]", "localhost", "app.localhost"];
    const { link } = await setUpProxy({
      allow: hosts.map((host) => `${host}:${port}`),
      baseUrl: new URL(`http://localhost:${port}/v1`),
    });
    for (const host of hosts)
      expect(
        parseAnswer(await raw(link.proxyPort, `GET http://${host}:${port}/ HTTP/1.1\r\n\r\n`)),
      ).toMatchObject({ status: 403, body: expect.stringContaining("model's endpoint") });
    expect(requests).toEqual([]);
  });

  it("is refused by address, and by a name that leads there", async () => {
    const { port, requests } = await startSite();
    const other = await startSite();
    const { link } = await setUpProxy({
      allow: [`127.0.0.1:${port}`, `alias.test:${port}`, `127.0.0.1:${other.port}`],
      names: { "alias.test": [["127.0.0.1"]] },
      baseUrl: new URL(`http://127.0.0.1:${port}/v1`),
    });
    for (const host of ["127.0.0.1", "alias.test"])
      expect(
        parseAnswer(await raw(link.proxyPort, `GET http://${host}:${port}/ HTTP/1.1\r\n\r\n`)),
      ).toMatchObject({ status: 403 });
    expect(requests).toEqual([]);
    // The control: another port of that address is another server.
    const answer = await raw(
      link.proxyPort,
      `GET http://127.0.0.1:${other.port}/ HTTP/1.1\r\n\r\n`,
    );
    expect(parseAnswer(answer).status).toBe(200);
  });
});
