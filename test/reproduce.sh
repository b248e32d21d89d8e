#!/usr/bin/env bash
# Builds the committed tree twice, in folders of different names and depths, and
# compares every byte: the program, the client core for the browser, the web app.
# With COLD=1 the second build has a compiler cache of its own (some minutes).
set -euo pipefail
cd "$(dirname "$0")/.."
top=$PWD
tmp=$(mktemp -d)
trap 'chmod -R u+w "$tmp"; rm -rf "$tmp"' EXIT
a=$tmp/a b=$tmp/another/place/altogether
for dir in "$a" "$b"; do
  git clone -q "$top" "$dir"
  [ "$dir" = "$b" ] && [ "${COLD:-}" = 1 ] && export GOCACHE=$tmp/cache
  make -C "$dir" build >"$tmp/log" 2>&1 || { cat "$tmp/log"; exit 1; }
done
status=0
for what in bin/veche web/dist; do
  if diff -rq "$a/$what" "$b/$what"; then echo "equal: $what"; else status=1; fi
done
(cd "$a" && sha256sum bin/veche web/dist/assets/veche-*.wasm)
[ "$status" = 0 ] && echo "two builds of $(git rev-parse --short HEAD): the same bytes"
exit "$status"
