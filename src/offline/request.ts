/** One item of a request's input, as far as scripts use it. */
type InputItem = {
  readonly type?: string;
  readonly role?: string;
  readonly content?: unknown;
  readonly output?: unknown;
  readonly call_id?: string;
};

/** A request from Codex to the model, with accessors for scripts. */
export class ModelRequest {
  readonly body: Readonly<Record<string, unknown>>;

  constructor(body: string) {
    this.body = JSON.parse(body) as Record<string, unknown>;
  }

  get input(): readonly InputItem[] {
    const { input } = this.body;
    return Array.isArray(input) ? (input as InputItem[]) : [];
  }

  get model(): string {
    return String(this.body["model"]);
  }

  /**
   * The texts that the user typed, oldest first, without those that Codex adds in the user's name.
   */
  userTexts(): string[] {
    return this.input
      .filter((item) => item.type === "message" && item.role === "user")
      .flatMap((item) => texts(item.content))
      .filter(isTyped);
  }

  /** The queries, oldest first: the typed text of each message, without its attachments. */
  queries(): string[] {
    return this.input
      .filter((item) => item.type === "message" && item.role === "user")
      .flatMap((item) => texts(item.content).filter(isTyped).slice(0, 1));
  }

  lastUserText(): string {
    return this.userTexts().at(-1) ?? "";
  }

  /** Outputs of the tools called since the user's last message, oldest first. */
  outputsSinceUser(): string[] {
    const last = this.input.findLastIndex(
      (item) => item.type === "message" && item.role === "user",
    );
    return this.input.slice(last + 1).flatMap(outputs);
  }

  /** Outputs of all tools in the conversation, oldest first. */
  allOutputs(): string[] {
    return this.input.flatMap(outputs);
  }

  /** Whether a text is anywhere in the request. */
  contains(text: string): boolean {
    return JSON.stringify(this.body).includes(JSON.stringify(text).slice(1, -1));
  }
}

function outputs(item: InputItem): string[] {
  return /_call_output$/.test(item.type ?? "") ? [texts(item.output).join("\n")] : [];
}

function texts(content: unknown): string[] {
  if (typeof content === "string") return [content];
  if (!Array.isArray(content)) return [];
  return content.flatMap((part: unknown) =>
    typeof part === "object" && part !== null && "text" in part && typeof part.text === "string"
      ? [part.text]
      : [],
  );
}

/** Whether the user typed a text, and not Codex in the user's name. */
function isTyped(text: string): boolean {
  return !/^\s*<[a-z_]+[ >]|^# AGENTS\.md/.test(text);
}
