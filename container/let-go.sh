#!/bin/sh
# Makes gVisor close the files in these directories: see let-go.mjs. Run by
# `unshare -Urm sh let-go.sh <directory>...`, so that no other process sees the mounts made here.
set -e
mount -t tmpfs none /run/codex-chat
exec node /opt/codex-chat/let-go.mjs /run/codex-chat "$@"
