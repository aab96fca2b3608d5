#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Installs what is missing, builds, starts a small service that leaks, and shows who does it.
# Usage: ./demo.sh [SECONDS]        (15)
set -u
cd "$(dirname "$0")" || exit 1
. tools/setup.sh
seconds="${1:-15}"

need_packages $BUILD_PACKAGES || exit 1
build build demo || exit 1

./build/demo/orders "$((seconds + 5))" >/dev/null &
service=$!
trap 'kill "$service" 2>/dev/null' EXIT
sleep 1
say ""
say "A service called orders runs as PID $service, and grows. In another program's place you would type:"
say "  build/memtop -p $service"
say "Here it goes for $seconds seconds, with a report at the end and a file for flame graphs:"
say ""
./build/memtop -p "$service" --batch --delay "$seconds" --count 1 --record orders.folded
status=$?
say ""
say "orders.folded holds the same by call stack: flamegraph.pl orders.folded >orders.svg, or drop it on speedscope."
exit $status
