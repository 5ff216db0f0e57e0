#!/bin/sh
# Starts the relay. It has the keeper's FIFO open as long as it lives, which keeps the container alive;
# see keeper.sh.
if [ ! -p "$CODEX_CHAT_KEEPER" ]; then
  echo "codex-chat relay: the keeper's FIFO is not there: $CODEX_CHAT_KEEPER" >&2
  exit 1
fi
# For reading, too: to open it for writing alone would wait for the keeper.
exec 9<>"$CODEX_CHAT_KEEPER"
exec node "${0%/*}/relay.mjs"
