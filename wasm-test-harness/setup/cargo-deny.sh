#!/usr/bin/env bash
# Builds cargo-deny and prints its path; with `check`, runs it by deny.toml over the whole workspace.
# shellcheck source-path=SCRIPTDIR source=common.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"

VERSION=0.20.2
# The advisory database comes from a git server; a build that cannot reach it must not hang.
FETCH_SECONDS=60

lock
deny=$(cargo_install cargo-deny "$VERSION" cargo-deny)
if [[ ${1:-} != check ]]; then
    printf '%s\n' "$deny"
    exit
fi

cd "$ROOT"
# Without --workspace only the root package is looked at, as it is a package itself.
deny=("$deny" --workspace --locked)
if GIT_TERMINAL_PROMPT=0 timeout "$FETCH_SECONDS" "${deny[@]}" fetch db >/dev/null 2>&1; then
    say "checking licences, bans, sources and advisories"
    exec "${deny[@]}" check --hide-inclusion-graph
else
    say "checking licences, bans and sources only: the advisory database cannot be reached"
    exec "${deny[@]}" check --hide-inclusion-graph licenses bans sources
fi
