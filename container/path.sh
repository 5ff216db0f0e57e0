# shellcheck shell=bash
# Read by the shells of the agent's commands: takes out of PATH what codex.sh has put there.
PATH=${PATH/:\/opt\/codex-chat\/bin:/:}
unset BASH_ENV CODEX_CHAT_GIT
