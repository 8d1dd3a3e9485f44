#!/usr/bin/env bash
# Finds or fetches wrk, which sends the requests of `make bench`, and prints its path. WRK= wins, then `wrk` on PATH, then
# Debian's package, unpacked.
# shellcheck source-path=SCRIPTDIR source=common.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"

PACKAGES=(wrk libluajit-5.1-2 libluajit-5.1-common)
# Raise it when this script lays out the folder differently, so that existing checkouts do it again.
RECIPE=1

# It has no command that ends well; the version is what it prints before it complains.
runs() { [[ $("$1" -v 2>&1 || true) == wrk* ]]; }

use_given WRK wrk

lock
home=$TOOLS/wrk
binary=$home/wrk
if stamped wrk "$RECIPE" && [[ -x $binary ]]; then
    say "wrk is there already"
else
    command -v apt-get >/dev/null || die "wrk is unpacked from Debian's packages, and this is no Debian; install it, or set WRK="
    say "unpacking wrk (Debian, 0.4 MB)"
    rm -rf "$home" "$home.tmp"
    mkdir -p "$home.tmp/packages"
    (cd "$home.tmp/packages" && apt-get --quiet --quiet download "${PACKAGES[@]}" >&2) ||
        die "apt-get could not download wrk; run 'apt-get update' first"
    for package in "$home.tmp"/packages/*.deb; do
        dpkg-deb -x "$package" "$home.tmp/debian"
    done
    cat >"$home.tmp/wrk" <<'END'
#!/bin/sh
home=$(cd -- "$(dirname -- "$0")" && pwd) || exit
LD_LIBRARY_PATH=$(echo "$home"/debian/usr/lib/*-linux-gnu) exec "$home/debian/usr/bin/wrk" "$@"
END
    chmod +x "$home.tmp/wrk"
    runs "$home.tmp/wrk" || die "the unpacked wrk does not run on this machine; set WRK= to one that does"
    rm -rf "$home.tmp/packages"
    mv "$home.tmp" "$home"
    stamp wrk "$RECIPE"
fi
printf '%s\n' "$binary"
