# shellcheck shell=sh
# Sourced by login shells, which the agent runs commands with. They reset PATH; this puts back what
# the image or the user set.
if [ -n "${CODEX_CHAT_PATH:-}" ]; then
  PATH=$CODEX_CHAT_PATH
  export PATH
fi
