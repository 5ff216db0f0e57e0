#!/bin/sh
# Has gVisor let go of the files in the given directories: see let-go.mjs. Run by
# `unshare -Urm sh let-go.sh <directory>...`, so that what is mounted here is nobody else's.
set -e
dir=/run/codex-chat
mount -t tmpfs none "$dir"
n=-1
for root in "$@"; do
  n=$((n + 1))
  # A single file cannot be covered.
  [ -d "$root" ] || continue
  mkdir -p "$dir/$n/upper" "$dir/$n/work" "$dir/$n/merged"
  # A path may have a comma or a colon in it, which the options of a mount cannot.
  ln -s "$root" "$dir/$n/lower"
  mount -t overlay -o "lowerdir=$dir/$n/lower,upperdir=$dir/$n/upper,workdir=$dir/$n/work" none "$dir/$n/merged"
done
exec node /opt/codex-chat/let-go.mjs "$dir" "$@"
