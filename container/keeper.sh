#!/bin/sh
# The container's first process. It keeps the container alive: it exits, and the container with it,
# when no relay has been connected for a while. So nothing is left running even if every process on
# the host was killed with -9: the engine then closes the relays' stdin, the relays end, and nothing
# has the FIFO below open any more.
#
# It trusts nobody and discards the data that comes. A program inside can keep the container alive by
# opening the FIFO, or end it by killing this process; neither affects the host. A shell, because it
# is there at once and takes a megabyte; it reaps orphaned processes, as the first process must.
fifo=${CODEX_CHAT_KEEPER:-/run/codex-chat/keeper.fifo}
seconds=${CODEX_CHAT_KEEPER_FIRST:-120}

rm -f "$fifo"
mkfifo -m 600 "$fifo" || exit
# The host waits for this word, so that no relay is started before the FIFO exists.
echo ready
while :; do
  # To open it takes until a relay has it open as well.
  timeout "$seconds" head -c 0 "$fifo"
  case $? in
    0) ;;
    124) exit 0 ;;
    *) exit 1 ;;
  esac
  # Through both ends at first, because the relay may be gone by now, and to open one waits for it.
  exec 4<>"$fifo"
  exec 3<"$fifo" 4>&-
  # Ends when the last relay has ended.
  cat <&3 >/dev/null
  exec 3<&-
  seconds=${CODEX_CHAT_KEEPER_IDLE:-60}
done
