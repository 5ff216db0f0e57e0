#!/bin/sh
# The container's first process: an init above the keeper, which reaps orphaned processes. Not every
# image has one; a shell that waits for one child reaps the others as well.
if command -v tini >/dev/null 2>&1; then
  exec tini -- node /opt/codex-chat/keeper.mjs
fi
node /opt/codex-chat/keeper.mjs &
wait $!
