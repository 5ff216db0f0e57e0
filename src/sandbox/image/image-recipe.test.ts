import { describe, expect, it } from "vitest";
import { contextHash, imageTag } from "./image-recipe.ts";

describe("contextHash", () => {
  const files = [{ name: "Dockerfile", content: "FROM x" }];

  it("is the same for the same content and differs for any other", () => {
    const hash = contextHash(files, "0.169.0", "debian:trixie-slim");
    expect(contextHash(files, "0.169.0", "debian:trixie-slim")).toBe(hash);
    expect(contextHash(files, "0.170.0", "debian:trixie-slim")).not.toBe(hash);
    expect(contextHash(files, "0.169.0", "debian:bookworm-slim")).not.toBe(hash);
    expect(contextHash([{ name: "Dockerfile", content: "FROM y" }], "0.169.0", "d")).not.toBe(hash);
  });

  it("makes a tag of twelve digits", () => {
    expect(imageTag("0123456789abcdef")).toBe("codex-chat:0123456789ab");
  });
});
