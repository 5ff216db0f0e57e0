#!/bin/sh
# Has gVisor let go of the files in the given directories: see let-go.mjs. Run by
# `unshare -Urm sh let-go.sh <directory>...`, so that what is mounted here is nobody else's.
set -e
mount -t tmpfs none /run/codex-chat
exec node /opt/codex-chat/let-go.mjs /run/codex-chat "$@"
