#!/usr/bin/env bash
# Builds mdBook and prints its path.
# shellcheck source-path=SCRIPTDIR source=common.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"

VERSION=0.5.4

lock
cargo_install mdbook "$VERSION" mdbook --no-default-features --features search
