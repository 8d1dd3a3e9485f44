#!/usr/bin/env bash
# Builds Envoy's rate limit service and unpacks Debian's Redis for tests/rate_limit_service.rs, and prints their folder,
# which that test expects in GATEPOST_RATELIMIT: `ratelimit` and `redis-server` in it.
# shellcheck source-path=SCRIPTDIR source=common.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"

# The service has no release: a commit, as a Go module calls it.
VERSION=v1.4.1-0.20260122083618-3fb702589d36
MODULE=github.com/envoyproxy/ratelimit/src/service_cmd
# Debian's redis-server is another name of redis-check-rdb, and its package would start a service.
PACKAGES=(redis-tools libatomic1 libjemalloc2 liblua5.1-0 liblzf1 lua-bitop lua-cjson)
# Raise it when this script lays out the folder differently, so that existing checkouts do it again.
RECIPE=1

lock
home=$TOOLS/ratelimit
if stamped ratelimit "$VERSION $RECIPE" && [[ -x $home/ratelimit && -x $home/redis-server ]]; then
    say "the rate limit service is there already"
    printf '%s\n' "$home"
    exit
fi

go=$(command -v go || command -v /usr/local/go/bin/go) ||
    die "Go is needed to build the rate limit service (Debian: apt-get install golang-go; others: https://go.dev)"
command -v apt-get >/dev/null || die "Redis is unpacked from Debian's packages, and this is no Debian"
rm -rf "$home" "$home.tmp"
mkdir -p "$home.tmp/packages"

say "building the rate limit service ($MODULE, some minutes)"
GOBIN=$home.tmp "$go" install "$MODULE@$VERSION" >&2 ||
    die "Go could not build it; the reason stands above. 'make e2e-rate-limit-service' resumes here."
mv "$home.tmp/service_cmd" "$home.tmp/ratelimit"

say "unpacking Redis (Debian, 1.4 MB)"
(cd "$home.tmp/packages" && apt-get --quiet --quiet download "${PACKAGES[@]}" >&2) ||
    die "apt-get could not download Redis; run 'apt-get update' first"
for package in "$home.tmp"/packages/*.deb; do
    dpkg-deb -x "$package" "$home.tmp/redis"
done
ln -s redis-check-rdb "$home.tmp/redis/usr/bin/redis-server"
cat >"$home.tmp/redis-server" <<'END'
#!/bin/sh
home=$(cd -- "$(dirname -- "$0")" && pwd) || exit
LD_LIBRARY_PATH=$(echo "$home"/redis/usr/lib/*-linux-gnu) exec "$home/redis/usr/bin/redis-server" "$@"
END
chmod +x "$home.tmp/redis-server"
"$home.tmp/redis-server" --version >&2 || die "the unpacked Redis does not run on this machine"
rm -rf "$home.tmp/packages"
mv "$home.tmp" "$home"
stamp ratelimit "$VERSION $RECIPE"
printf '%s\n' "$home"
