#!/bin/sh
# Fails the build of an image that lacks programs which the sandbox needs, and names them.
lacking=0
lacks() {
  echo "codex-chat-lacks: $1"
  lacking=1
}

if command -v node >/dev/null 2>&1; then
  version=$(node -p process.versions.node 2>/dev/null) || version="none that runs"
  major=${version%%.*}
  [ "$major" -ge 18 ] 2>/dev/null || lacks "node 18 or newer (it has $version)"
else
  lacks "node 18 or newer"
fi
command -v bash >/dev/null 2>&1 || lacks "bash"
command -v git >/dev/null 2>&1 || lacks "git"
# The keeper needs cat, mkfifo and timeout, the self-test's attacks need the others; without them it
# would prove nothing.
for tool in unshare mount umount dmesg setpriv; do
  command -v "$tool" >/dev/null 2>&1 || lacks "$tool (of util-linux)"
done
for tool in cat timeout mv ln mkfifo head tail wc find sed; do
  command -v "$tool" >/dev/null 2>&1 || lacks "$tool (of coreutils, findutils and sed)"
done
/opt/codex/bin/codex --version >/dev/null 2>&1 || lacks "a system for the programs of this machine ($(uname -m)), on which codex runs"
exit $lacking
