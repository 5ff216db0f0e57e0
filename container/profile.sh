# shellcheck shell=sh
# Read by login shells, which the agent's commands run in and which reset PATH. This restores the
# directories that the image or the user has put there.
if [ -n "${CODEX_CHAT_PATH:-}" ]; then
  PATH=$CODEX_CHAT_PATH
  export PATH
fi
