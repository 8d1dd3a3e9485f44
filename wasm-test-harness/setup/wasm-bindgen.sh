#!/usr/bin/env bash
# Builds the runner of the unit tests on wasm32-unknown-unknown and prints its path.
# shellcheck source-path=SCRIPTDIR source=common.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"

# The runner reads a section that the library writes, and the format changes between versions: they must be equal.
version=$(awk '$0 == "name = \"wasm-bindgen\"" { getline; gsub(/[^0-9.]/, ""); print }' "$ROOT/Cargo.lock")
[[ -n $version ]] || die "Cargo.lock names no wasm-bindgen: is wasm-bindgen-test still a dev-dependency of gatepost?"

command -v node >/dev/null ||
    die "node runs the unit tests in wasm and is not on PATH (Debian: apt-get install nodejs; others: https://nodejs.org)"

lock
# The default feature is TLS towards a remote browser driver; node needs none.
cargo_install wasm-bindgen-cli "$version" wasm-bindgen-test-runner --no-default-features
