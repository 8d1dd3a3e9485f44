#!/usr/bin/env bash
# Fetches the libraries that tests/crosscheck.rs exchanges tokens with, and prints their folder, which that test expects
# in GATEPOST_CROSSCHECK: npm's jose in node_modules/, Python's cryptography in python/.
# shellcheck source-path=SCRIPTDIR source=common.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"

JOSE=6.2.17
CRYPTOGRAPHY=50.0.2

node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' 2>/dev/null ||
    die "node 20 or newer runs jose (Debian: apt-get install nodejs; others: https://nodejs.org)"
python=$(python3 -c 'import sys; assert sys.version_info >= (3, 10); print("%d.%d" % sys.version_info[:2])') ||
    die "python3, 3.10 or newer, runs cryptography (Debian: apt-get install python3)"

lock
home=$TOOLS/crosscheck
# Part of what pip installs is compiled for one Python.
version="jose $JOSE, cryptography $CRYPTOGRAPHY, Python $python"
if stamped crosscheck "$version" && [[ -d $home ]]; then
    say "jose $JOSE and cryptography $CRYPTOGRAPHY are there already"
else
    say "fetching jose $JOSE (npm) and cryptography $CRYPTOGRAPHY (PyPI, 5 MB)"
    python3 -m pip --version >/dev/null 2>&1 ||
        die "python3 with pip is needed to fetch cryptography (Debian: apt-get install python3-pip)"
    rm -rf "$home" "$home.tmp" "$TOOLS/stamps/crosscheck"
    npm_quietly install --prefix "$home.tmp" --no-save --no-package-lock "jose@$JOSE" ||
        die "npm could not install jose $JOSE; the reason stands above. 'make setup' resumes here."
    python3 -m pip install --quiet --root-user-action ignore --disable-pip-version-check --no-input --only-binary :all: \
        --target "$home.tmp/python" "cryptography==$CRYPTOGRAPHY" >&2 ||
        die "pip could not install cryptography $CRYPTOGRAPHY; the reason stands above. 'make setup' resumes here."
    mv "$home.tmp" "$home"
    stamp crosscheck "$version"
fi
printf '%s\n' "$home"
