#!/bin/sh
# The container's first process: the keeper, with somebody above it who takes in what is orphaned.
# Not every image has an init for that; a shell that waits for one child takes in the others, too.
if command -v tini >/dev/null 2>&1; then
  exec tini -- node /opt/codex-chat/keeper.mjs
fi
node /opt/codex-chat/keeper.mjs &
wait $!
