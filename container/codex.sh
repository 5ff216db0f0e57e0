#!/bin/sh
# Starts Codex with these arguments, and with one certificate authority instead of all.
#
# Codex (0.171) reads and parses the system's authorities for each turn, which takes 50 ms under gVisor.
# All that it calls is the model's endpoint, at a loopback address and without TLS. The agent's commands
# have all authorities: Codex leaves the variable out of their environment. It changes nothing where the
# image or the user has chosen other authorities.
one=/opt/codex-chat/one-authority.pem
if [ -s "$one" ] && [ -z "${SSL_CERT_FILE:-}${SSL_CERT_DIR:-}${CODEX_CA_CERTIFICATE:-}" ]; then
  export SSL_CERT_FILE="$one"
  exec codex -c 'shell_environment_policy.exclude=["SSL_CERT_FILE"]' "$@"
fi
exec codex "$@"
