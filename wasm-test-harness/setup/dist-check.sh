#!/usr/bin/env bash
# Makes the release of the last commit twice, in folders of different names and with different CARGO_HOMEs, and compares
# every byte; then pushes the image to a registry on this machine, which `crane` pulls it from and verifies. Some minutes.
# shellcheck source-path=SCRIPTDIR source=common.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"

CRANE=github.com/google/go-containerregistry/cmd/crane@v0.22.1

lock
crane=$(go_install "$CRANE")
GATEPOST_CYCLONEDX=$("$ROOT/wasm-test-harness/setup/sbom.sh" --tool)
export GATEPOST_CYCLONEDX
settings=$(realpath -m -- "${CARGO_HOME:-$HOME/.cargo}")/config.toml
revision=$(git -C "$ROOT" rev-parse HEAD)
created=$(git -C "$ROOT" log -1 --format=%ct)
work=$(mktemp -d)
registry=
trap '[[ -z $registry ]] || kill "$registry"; rm -rf -- "$work"' EXIT

[[ -z $(git -C "$ROOT" status --porcelain --untracked-files=no) ]] || say "what is not committed is not in the release"
places=("$work/one" "$work/another/and deeper")
for place in "${places[@]}"; do
    say "making the release in $place"
    git clone --quiet --no-hardlinks -- "$ROOT" "$place"
    git -C "$place" checkout --quiet --detach "$revision"
    mkdir "$place.cargo"
    # Where crates come from here is not to differ.
    [[ ! -f $settings ]] || cp -- "$settings" "$place.cargo/"
    (
        cd "$place"
        export CARGO_HOME=$place.cargo CARGO_TARGET_DIR=$place/target
        ./wasm-test-harness/setup/module.sh --locked >/dev/null
        ./wasm-test-harness/setup/sbom.sh "$place/target/gatepost.cdx.json"
    )
    # What writes the release need not be compiled in each place.
    (cd "$ROOT" && cargo run --locked --quiet --package wasm-test-harness --bin dist -- \
        --module "$place/target/wasm32-wasip1/release/gatepost.wasm" --sbom "$place/target/gatepost.cdx.json" \
        --revision "$revision" --created "$created" "$place.dist") >&2
done
diff --recursive --brief "${places[0]}.dist" "${places[1]}.dist" >&2 || die "the two releases differ"
say "both releases are the same, byte for byte"

# A port that is free now.
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
timeout 120 "$crane" registry serve --address "127.0.0.1:$port" >&2 &
registry=$!
for _ in {1..50}; do
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && break
    sleep 0.1
done
image=127.0.0.1:$port/gatepost:check
"$crane" push "${places[0]}.dist/gatepost-oci" "$image" >&2
"$crane" validate --remote "$image" >&2
"$crane" export "$image" - | tar --extract --to-stdout plugin.wasm | cmp - "${places[0]}.dist/gatepost.wasm" >&2
say "a registry takes the image, and gives back the module"
cat "${places[0]}.dist/SHA256SUMS"
"$crane" digest "$image"
