#!/bin/sh
# Starts Codex with the arguments after the first, which is "model" if it connects to nothing else.
# The environment that is set here is for Codex alone; the agent's commands get it back as it was.

# Codex (0.171) reads and parses the system's certificate authorities for each turn, which takes 50 ms
# under gVisor. The model's endpoint is at a loopback address and without TLS, so one is enough. It
# changes nothing where the image or the user has chosen other authorities.
one=/opt/codex-chat/one-authority.pem
only=$1
shift
if [ "$only" = model ] && [ -s "$one" ] && [ -z "${SSL_CERT_FILE:-}${SSL_CERT_DIR:-}${CODEX_CA_CERTIFICATE:-}" ]; then
  export SSL_CERT_FILE="$one"
  set -- -c 'shell_environment_policy.exclude=["SSL_CERT_FILE"]' "$@"
fi
# See git.sh; path.sh takes it out of PATH again.
if CODEX_CHAT_GIT=$(command -v git) && [ -z "${BASH_ENV:-}" ]; then
  export CODEX_CHAT_GIT
  export PATH="/opt/codex-chat/bin:$PATH"
  set -- -c 'shell_environment_policy.set.BASH_ENV="/opt/codex-chat/path.sh"' "$@"
fi
exec codex "$@"
