#!/usr/bin/env bash
# Fetches the OpenID provider of tests/oidc_provider.rs, npm's oidc-provider, and prints its folder, which that test
# expects in GATEPOST_OIDC_PROVIDER. A newer one: change its version in tests/oidc/package.json, and there run
# `npm install --package-lock-only --omit-lockfile-registry-resolved`.
# shellcheck source-path=SCRIPTDIR source=common.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"

# crypto.hash came with these.
node -e 'process.exit(require("node:crypto").hash ? 0 : 1)' 2>/dev/null ||
    die "node 20.12 or newer runs oidc-provider (Debian: apt-get install nodejs; others: https://nodejs.org)"

lock
home=$TOOLS/oidc-provider
packages=$ROOT/tests/oidc/package-lock.json
version=$(sha256sum <"$packages")
if stamped oidc-provider "$version" && [[ -d $home ]]; then
    say "oidc-provider is there already"
else
    say "fetching oidc-provider (npm, 1 MB)"
    rm -rf "$home" "$home.tmp" "$TOOLS/stamps/oidc-provider"
    mkdir -p "$home.tmp"
    cp -- "${packages%/*}"/package{,-lock}.json "$home.tmp"
    npm_quietly ci --prefix "$home.tmp" ||
        die "npm could not install what $packages names; the reason stands above. 'make setup' resumes here."
    mv "$home.tmp" "$home"
    stamp oidc-provider "$version"
fi
printf '%s\n' "$home"
