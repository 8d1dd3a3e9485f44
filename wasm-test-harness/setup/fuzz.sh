#!/usr/bin/env bash
# Fuzzes the parsers and the engine, each target for SECONDS_EACH (60 unless told). A crash is kept in fuzz/artifacts.
# shellcheck source-path=SCRIPTDIR source=common.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"

VERSION=0.13.2

rustup run nightly rustc --version >/dev/null 2>&1 ||
    die "fuzzing needs a nightly compiler: rustup toolchain install nightly --profile minimal"
lock
fuzz=$(cargo_install cargo-fuzz "$VERSION" cargo-fuzz)
cd "$ROOT/fuzz"
for target in targets/*.rs; do
    target=$(basename -- "$target" .rs)
    say "$target for ${SECONDS_EACH:-60} s"
    # cargo-fuzz asks for a cargo that is nightly's, and builds into fuzz/target.
    env -u CARGO_TARGET_DIR rustup run nightly "$fuzz" run "$target" -- \
        -max_total_time="${SECONDS_EACH:-60}" -max_len=4096 -print_final_stats=1 -verbosity=0 ||
        die "$target found something: fuzz/artifacts/$target holds the input"
done
