#!/usr/bin/env bash
# Runs cargo with the compiler that has the wasm targets: wasm-cargo.sh build --target wasm32-wasip1 ...
# With --target-dir alone: prints the folder that it builds into. With --compiler alone: prints the compiler's version.
# shellcheck source-path=SCRIPTDIR source=common.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"

choice=$("$ROOT/wasm-test-harness/setup/wasm-toolchain.sh")
CARGO_TARGET_DIR=$(target_dir)
export CARGO_TARGET_DIR
if [[ $choice == debian ]]; then
    export RUSTC=$TOOLS/wasm/bin/rustc RUSTDOC=$TOOLS/wasm/bin/rustdoc
    # Two compilers in one folder take each other's module for their own.
    export CARGO_TARGET_DIR=$CARGO_TARGET_DIR/debian
fi

# The folders that a module was built in are nobody's business, and make two builds of one commit differ: `make dist-check`
# compares them. cargo joins these flags with those of .cargo/config.toml; somebody's own RUSTFLAGS go before both.
if [[ ${1:-} == build ]]; then
    registry=$(realpath -m -- "${CARGO_HOME:-$HOME/.cargo}")/registry/src
    remapped="'--remap-path-prefix=$ROOT=/gatepost', '--remap-path-prefix=$registry=/crates'"
    set -- "$@" --config "target.wasm32-wasip1.rustflags=[$remapped]"
fi

if [[ ${1:-} == --target-dir ]]; then
    printf '%s\n' "$CARGO_TARGET_DIR"
elif [[ ${1:-} == --compiler ]]; then
    exec "${RUSTC:-rustc}" --version
elif [[ ${1:-} == clippy && $choice == debian ]]; then
    # rustup's clippy cannot read what Debian's compiler wrote.
    exec "$TOOLS/wasm/bin/cargo-clippy" "$@"
else
    exec cargo "$@"
fi
