#!/usr/bin/env bash
# Runs every fuzz target: for FUZZTIME each, or all of them for FUZZCPU seconds of
# the processor together, in equal shares. FUZZONLY is an expression that "package
# target" must match. It ends with what was run, and with 1 if anything was found.
#
# What is new and interesting is not made smaller for long: for a server that
# remembers there is no smallest input.
#
# Go before 1.27 sometimes takes the end of the time for a failure of the target,
# "context deadline exceeded" without an input (go.dev/issue/75804). That is no
# finding; an input that hangs is written down by Go as such, and is one.
set -euo pipefail
cd "$(dirname "$0")/.."

mapfile -t targets < <(grep -rHo --include='*_test.go' '^func Fuzz[A-Za-z0-9_]*' . | sed -E 's|/[^/]*:func | |' | grep -E "${FUZZONLY:-.}" | sort -u)
share=0 each=${FUZZTIME:-20s}
if [ -n "${FUZZCPU:-}" ]; then
  share=$((FUZZCPU * 1000 / ${#targets[@]})) # milliseconds
  each=$((share / 1000 / $(nproc) + 1))s
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cache=$(go env GOCACHE)/fuzz
module=$(go list -m)

# cpu sets it to what children have taken of the processor, in milliseconds.
cpu() {
  local um us uf sm ss sf
  times >"$work/times" # here: a pipe would have children of its own
  read -r um us uf sm ss sf < <(tail -1 "$work/times" | tr 'ms.,' '    ')
  cpu=$(((um * 60 + us + sm * 60 + ss) * 1000 + 10#${uf:0:3} + 10#${sf:0:3}))
}

status=0 execs_all=0 spent_all=0 built=
for t in "${targets[@]}"; do
  read -r dir target <<<"$t"
  if [ "$built" != "$dir" ]; then
    go test -c -fuzz . -o "$work/test" "$dir"
    built=$dir
  fi
  execs=0 spent=0 rounds=0 long=$each
  while :; do
    cpu && before=$cpu
    ok=0
    (cd "$dir" && "$work/test" -test.run '^$' -test.fuzz "^$target\$" -test.fuzztime "$long" -test.fuzzminimizetime 10x \
      -test.fuzzcachedir "$cache/$module/${dir#./}" </dev/null) >"$work/out" 2>&1 || ok=$?
    cpu && spent=$((spent + cpu - before))
    n=$(grep -oE 'execs: [0-9]+' "$work/out" | tail -1 | grep -oE '[0-9]+' || echo 0)
    execs=$((execs + n)) rounds=$((rounds + 1))
    if [ $ok != 0 ]; then
      if grep -qE '^ +context deadline exceeded$' "$work/out" && ! grep -qE 'Failing input|panic|_test\.go:' "$work/out"; then
        echo "  (Go took the end of the time for a failure)"
      else
        cat "$work/out"
        status=1
        break
      fi
    fi
    # Beside others a round gets less of the processor than was meant, perhaps not
    # enough for what a target makes ready first.
    if [ "$n" = 0 ] && [ -n "${FUZZCPU:-}" ] && [ $rounds -lt 4 ]; then
      long=$((4 * ${long%s}))s
      continue
    fi
    if [ $spent -ge $share ] || [ $rounds -ge 20 ]; then break; fi
  done
  echo "$dir $target: $execs executions, $((spent / 1000)) s"
  execs_all=$((execs_all + execs)) spent_all=$((spent_all + spent))
done
echo "${#targets[@]} targets, $execs_all executions, $((spent_all / 1000)) s of the processor"
exit $status
