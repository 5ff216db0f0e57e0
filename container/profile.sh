# Read by login shells, with which the agent runs commands and which set PATH anew: so that what the
# image or the user has put there is found.
if [ -n "${CODEX_CHAT_PATH:-}" ]; then
  PATH=$CODEX_CHAT_PATH
  export PATH
fi
