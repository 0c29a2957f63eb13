#!/bin/sh
# The image's `landbridge`. Whoever calls it, be it the engine, a health check or a person with
# `docker exec`, becomes the gateway's user: root without its capabilities could not even read the
# gateway's keys or ask its socket.
#
# Docker gives added capabilities to root only. setpriv hands the one that the tunnel needs on to
# the user and drops the rest, root included, for good.
set -eu
program=/opt/landbridge/src/cli/landbridge.mjs

if [ "$(id -u)" != 0 ]; then exec node "$program" "$@"; fi

# The engine copies the host's mode, which on hosts without udev leaves the user out. Where this is
# not allowed either, `landbridge check` and the status say what is missing.
if [ -c /dev/net/tun ]; then chmod 0666 /dev/net/tun 2>/dev/null || true; fi

# Bit 12 is NET_ADMIN; a tunnel that is external, and most commands, go without.
had=$(sed -n 's/^CapEff:[[:space:]]*/0x/p' /proc/self/status)
keep=-all
if [ $((had >> 12 & 1)) = 1 ]; then keep=-all,+net_admin; fi

exec setpriv --reuid=landbridge --regid=landbridge --init-groups \
  --inh-caps="$keep" --ambient-caps="$keep" --bounding-set="$keep" \
  --no-new-privs node "$program" "$@"
