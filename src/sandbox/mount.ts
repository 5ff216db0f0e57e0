/** A bind mount; `source` and `target` are absolute and differ only where a link was resolved. */
export type BindMount = {
  readonly source: string;
  readonly target: string;
  readonly readOnly: boolean;
};
