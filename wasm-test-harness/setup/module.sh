#!/usr/bin/env bash
# Builds the filter for Envoy and prints the path of the module: target/wasm32-wasip1/release/gatepost.wasm.
# shellcheck source-path=SCRIPTDIR source=common.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"

cargo=$ROOT/wasm-test-harness/setup/wasm-cargo.sh
module=wasm32-wasip1/release/gatepost.wasm
cd "$ROOT"
"$cargo" build --release --target wasm32-wasip1 --package gatepost --lib "$@" >&2

built=$("$cargo" --target-dir 2>/dev/null)/$module
final=$(target_dir)/$module
if [[ $built != "$final" ]] && ! cmp --silent -- "$built" "$final"; then
    mkdir -p "${final%/*}"
    cp -- "$built" "$final.tmp"
    mv -f -- "$final.tmp" "$final"
fi
say "$final"
printf '%s\n' "$final"
