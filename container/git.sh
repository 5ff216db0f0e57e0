#!/bin/sh
# Git as Codex itself finds it. With each thread and each turn Codex (0.171) asks for the addresses of
# remotes, the branch, the commit and whether there are changes: for a header of its requests, which
# they come too late for, and for a list of threads that is not shown here. Under gVisor the questions
# of a turn take half of its processor time, and many seconds in a large project. They are not
# answered; every other question goes to git.
case "$*" in
  "-c safe.bareRepository=explicit config --null --get core.fsmonitor") exit 1 ;;
  "-c safe.bareRepository=explicit -c core.hooksPath=/dev/null -c core.fsmonitor=false "*)
    case "$*" in
      *" rev-parse --git-dir") exit 128 ;;
      *" config --null --get-regexp ^(remote\\.|url\\.)") exit 1 ;;
      *" rev-parse --verify --quiet HEAD") exit 1 ;;
      *" status --porcelain=v2 --branch --no-ahead-behind --ignore-submodules=dirty") exit 1 ;;
    esac
    ;;
esac
exec "${CODEX_CHAT_GIT:-/usr/bin/git}" "$@"
