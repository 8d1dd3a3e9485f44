#!/usr/bin/env bash
# Writes the module's bill of materials, in CycloneDX, into the file named. What the module is compiled of is in it, macros
# too, and nothing of the harness, of tests or of build scripts; neither today's time nor the folder, so that two of one commit
# are equal.
# With --tool alone: prints the path of cargo-cyclonedx. GATEPOST_CYCLONEDX= names another one.
# shellcheck source-path=SCRIPTDIR source=common.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"

VERSION=0.5.9

[[ -n ${1:-} ]] || die "name the file to write"
lock
cyclonedx=${GATEPOST_CYCLONEDX:-$(cargo_install cargo-cyclonedx "$VERSION" cargo-cyclonedx)}
if [[ $1 == --tool ]]; then
    printf '%s\n' "$cyclonedx"
    exit
fi

# It writes beside every Cargo.toml of the workspace: of a copy.
copy=$(mktemp -d)
trap 'rm -rf -- "$copy"' EXIT
(cd "$ROOT" && git ls-files -z -- '*Cargo.toml' Cargo.lock '*.rs' | xargs -0 cp --parents -t "$copy")
SOURCE_DATE_EPOCH=$(git -C "$ROOT" log -1 --format=%ct)
export SOURCE_DATE_EPOCH
"$cyclonedx" cyclonedx --manifest-path "$copy/Cargo.toml" --format json --spec-version 1.5 --target wasm32-wasip1 \
    --no-build-deps --quiet >&2
mkdir -p "$(dirname -- "$1")"
sed "s|$copy|/gatepost|g" "$copy/gatepost.cdx.json" >"$1.tmp"
mv -f "$1.tmp" "$1"
