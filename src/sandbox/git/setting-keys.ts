/** What the values of git's settings and variables mean: commands, files, or plain data. */

/** Last parts of keys whose value is a command, whatever comes before. */
const COMMAND_ENDS: ReadonlySet<string> = new Set(
  "command cmd program helper process clean smudge textconv driver editor difffilter uploadpack receivepack packobjectshook update recentobjectshook defaultkeycommand sendmailcmd tocmd cccmd headercmd smtpserver external vcs path sshcommand askpass gitproxy fsmonitor pager alternaterefscommand".split(
    " ",
  ),
);
/** Keys whose values are branches, addresses and names, which no program uses as a file. */
export const DATA_KEYS =
  /^(branch\..*|remote\..*\.(fetch|push)|user\.(name|email)|color\..*|extensions\..*|submodule\..*\.(active|branch)|core\.(repositoryformatversion|filemode|bare|logallrefupdates|worktree))$/;
/** Variables that name programs or files to git. */
export const COMMAND_VARIABLES =
  "GIT_EXTERNAL_DIFF GIT_SSH GIT_SSH_COMMAND GIT_PROXY_COMMAND GIT_EDITOR GIT_SEQUENCE_EDITOR GIT_PAGER GIT_ASKPASS SSH_ASKPASS VISUAL EDITOR PAGER".split(
    " ",
  );

/** Whether a key's value is a command. */
export function isCommandKey(key: string): boolean {
  return key.startsWith("pager.") || COMMAND_ENDS.has(key.slice(key.lastIndexOf(".") + 1));
}

/** Whether a signing key is a file, not a key's name or the key itself. */
export function isKeyFile(value: string, isSsh: boolean): boolean {
  return /^(\/|~|\.\/)/.test(value) || (isSsh && !/^(key::|ssh-)/.test(value));
}
