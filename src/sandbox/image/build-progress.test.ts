import { describe, expect, it } from "vitest";
import type { Progress } from "../../log.ts";
import { BuildProgress, type StepTimes } from "./build-progress.ts";

function build({ earlier }: { earlier?: StepTimes } = {}) {
  const said: Progress[] = [];
  let ms = 0;
  const progress = new BuildProgress({
    title: "Building the sandbox's image, once",
    onProgress: (what) => said.push(what),
    now: () => ms,
    ...(earlier === undefined ? {} : { earlier }),
  });
  return {
    progress,
    said,
    /** The lines of a build, and seconds that pass. */
    run(...events: readonly (string | number)[]) {
      for (const event of events) {
        if (typeof event === "number") ms += event * 1000;
        else progress.onLine(event);
      }
    },
    texts: () => said.map((what) => (typeof what === "string" ? what : what.text)),
  };
}

const STEPS = ["Step 1/3 : FROM debian", "Step 2/3 : RUN apt-get install", "Step 3/3 : COPY a b"];

describe("the progress of a build", () => {
  it("is a sentence with the step, and has shorter forms for narrow windows", () => {
    const { run, said } = build();
    run("Step 1/15 : FROM debian");
    expect(said).toEqual([
      "Building the sandbox's image, once",
      {
        text: "Building the sandbox's image, once: step 1 of 15",
        shorter: ["Building the image: step 1 of 15", "step 1 of 15", "1/15"],
      },
    ]);
  });

  it("understands Podman's steps", () => {
    const { run, texts } = build();
    run("STEP 1/9: FROM debian");
    expect(texts().at(-1)).toBe("Building the sandbox's image, once: step 1 of 9");
  });

  it("has none of the programs' lines, and does not repeat itself", () => {
    const { run, texts } = build();
    run(STEPS[0] ?? "", "Get:1 http://deb.debian.org/debian trixie InRelease [140 kB]", "done.");
    expect(texts()).toHaveLength(2);
  });

  it("is not misled by a program that prints steps", () => {
    const { run, texts } = build();
    run("Step 1/3 : FROM debian", "Step 1/3 : again", "Step 3/3 : later", "Step 2/4 : RUN others");
    run("Step 2/3 : RUN true");
    expect(texts().slice(1)).toEqual([
      "Building the sandbox's image, once: step 1 of 3",
      "Building the sandbox's image, once: step 2 of 3",
    ]);
  });

  it("says how much of apt's packages is fetched, unpacked and set up", () => {
    const { run, texts } = build();
    run("Step 1/3 : RUN apt-get install -y git jq");
    run("Get:1 http://deb.debian.org/debian trixie InRelease [140 kB]");
    run("0 upgraded, 2 newly installed, 0 to remove and 0 not upgraded.", 1);
    run("Get:1 http://deb.debian.org/debian trixie/main amd64 git amd64 1:2.47 [8862 kB]", 1);
    run("Unpacking git (1:2.47) ...", 1, "Setting up git (1:2.47) ...", 1);
    run("Setting up jq (1.7) ...", 1, "Setting up more than was counted ...", 1);
    expect(texts().slice(2)).toEqual([
      "Building the sandbox's image, once: step 1 of 3 (16%)",
      "Building the sandbox's image, once: step 1 of 3 (33%)",
      "Building the sandbox's image, once: step 1 of 3 (50%)",
      "Building the sandbox's image, once: step 1 of 3 (66%)",
      "Building the sandbox's image, once: step 1 of 3 (83%)",
    ]);
  });

  it("changes at most four times a second within a step", () => {
    const { run, texts } = build();
    run("Step 1/3 : RUN apt-get install", "0 upgraded, 100 newly installed, 0 to remove.", 1);
    run(...Array.from({ length: 50 }, () => ["Unpacking x ...", 0.01]).flat());
    expect(texts().length).toBeLessThan(6);
  });

  it("estimates nothing in a first build", () => {
    const { run, texts } = build();
    run(STEPS[0] ?? "", 10, STEPS[1] ?? "", 60, "done");
    expect(texts().join()).not.toContain("minute");
  });

  it("says how long the rest took in an earlier build", () => {
    const first = build();
    first.run(1, STEPS[0] ?? "", 10, STEPS[1] ?? "", 150, STEPS[2] ?? "", 20);
    const { run, said, texts } = build({ earlier: first.progress.times() });
    run(STEPS[0] ?? "", 8, STEPS[1] ?? "", 60, "a line", 60, "a line", STEPS[2] ?? "");
    expect(texts().slice(1)).toEqual([
      "Building the sandbox's image, once: step 1 of 3, about 3 minutes",
      "Building the sandbox's image, once: step 2 of 3, about 3 minutes",
      "Building the sandbox's image, once: step 2 of 3, about 2 minutes",
      "Building the sandbox's image, once: step 2 of 3, about a minute",
      "Building the sandbox's image, once: step 3 of 3, less than a minute",
    ]);
    expect(said.at(-1)).toMatchObject({
      shorter: [
        "Building the image: step 3 of 3, less than a minute",
        "Building the image: step 3 of 3",
        "step 3 of 3",
        "3/3",
      ],
    });
  });

  it("takes the estimate back when a step takes much longer than it did", () => {
    const first = build();
    first.run(STEPS[0] ?? "", 1, STEPS[1] ?? "", 60, STEPS[2] ?? "", 1);
    const { run, texts } = build({ earlier: first.progress.times() });
    run(STEPS[0] ?? "", STEPS[1] ?? "", 120, "a line");
    expect(texts().at(-1)).toBe("Building the sandbox's image, once: step 2 of 3");
  });

  it("does not count a step that the engine's cache had as measured", () => {
    const first = build();
    first.run(STEPS[0] ?? "", STEPS[1] ?? "", " ---> Using cache", STEPS[2] ?? "", 1);
    const { run, texts } = build({ earlier: first.progress.times() });
    run(STEPS[0] ?? "", STEPS[1] ?? "", STEPS[2] ?? "");
    expect(texts().slice(1)).toEqual([
      "Building the sandbox's image, once: step 1 of 3",
      "Building the sandbox's image, once: step 2 of 3",
      "Building the sandbox's image, once: step 3 of 3, less than a minute",
    ]);
  });

  it("keeps what an earlier build measured of a step that was cached since", () => {
    const first = build();
    first.run(STEPS[0] ?? "", STEPS[1] ?? "", 150, STEPS[2] ?? "", 1);
    const second = build({ earlier: first.progress.times() });
    second.run(STEPS[0] ?? "", STEPS[1] ?? "", " ---> Using cache", STEPS[2] ?? "", 2);
    expect(second.progress.times().map(({ seconds }) => seconds)).toEqual([0, 150, 2]);
  });

  it("estimates nothing for a step that no earlier build had", () => {
    const first = build();
    first.run(STEPS[0] ?? "", STEPS[1] ?? "", 100);
    const { run, texts } = build({ earlier: first.progress.times() });
    run("Step 1/3 : FROM ubuntu");
    expect(texts().at(-1)).toBe("Building the sandbox's image, once: step 1 of 3");
  });
});
