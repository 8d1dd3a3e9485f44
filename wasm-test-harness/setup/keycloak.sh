#!/usr/bin/env bash
# Fetches Keycloak, which tests/keycloak.rs talks to, and prints its folder, which that test expects in
# GATEPOST_KEYCLOAK. `start` in it runs Keycloak with what it is given besides.
# shellcheck source-path=SCRIPTDIR source=common.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"

VERSION=26.7.3
SHA256=27a6535553c3cdcd083872ba40629efafb3475e3b758e0c6f691395561dd0f1f
FETCH=org.apache.maven.plugins:maven-dependency-plugin:3.11.0:copy
# Raise it when this script lays out the folder differently, so that existing checkouts do it again.
RECIPE=1

# Keycloak's own start script runs java as a child, which would outlive it if it was killed.
write_start() {
    cat >"$1" <<'END'
#!/bin/sh
cd -- "$(dirname -- "$0")" || exit
# From bin/kc.sh: Quarkus and JBoss Threads ask for these.
exec java -Xmx512m -XX:TieredStopAtLevel=1 -Dkc.home.dir="$PWD" -Djboss.server.config.dir="$PWD/conf" \
    -Djava.util.logging.manager=org.jboss.logmanager.LogManager -Dpicocli.disable.closures=true \
    -Djava.util.concurrent.ForkJoinPool.common.threadFactory=io.quarkus.bootstrap.forkjoin.QuarkusForkJoinWorkerThreadFactory \
    --add-opens=java.base/java.util=ALL-UNNAMED --add-opens=java.base/java.util.concurrent=ALL-UNNAMED \
    --add-opens=java.base/java.security=ALL-UNNAMED --add-opens=java.base/java.lang=ALL-UNNAMED \
    -cp lib/quarkus-run.jar io.quarkus.bootstrap.runner.QuarkusEntryPoint start-dev --db=dev-mem "$@"
END
    chmod +x "$1"
}

# Keycloak adapts itself to the options that it is started with, and ends with 10 when it has.
adapt() {
    local status=0
    timeout 300 "$1/start" --http-host=127.0.0.1 --http-port=0 >"$1/start.log" 2>&1 || status=$?
    ((status == 10)) || {
        cat "$1/start.log" >&2
        die "Keycloak does not start on this machine; the reason stands above"
    }
}

java=$(java -XshowSettings:properties -version 2>&1 | sed -n 's/.*java\.specification\.version = //p') || java=
if [[ ! $java =~ ^[0-9]+$ ]] || ((java < 17)); then
    die "java 17 or newer runs Keycloak (Debian: apt-get install openjdk-17-jre-headless)"
fi

lock
home=$TOOLS/keycloak-$VERSION
if stamped keycloak "$VERSION $RECIPE" && [[ -x $home/start ]]; then
    say "Keycloak $VERSION is there already"
else
    say "fetching Keycloak $VERSION (Maven Central, 180 MB)"
    command -v mvn >/dev/null || die "Maven is needed to fetch Keycloak (Debian: apt-get install maven)"
    command -v python3 >/dev/null || die "python3 is needed to unpack Keycloak (Debian: apt-get install python3)"
    rm -rf "$home" "$home.tmp" "$TOOLS/stamps/keycloak"
    mkdir -p "$home.tmp"
    zip=$home.tmp/keycloak-quarkus-dist-$VERSION.zip
    mvn --batch-mode --quiet --strict-checksums -Dmaven.repo.local="$home.tmp/maven" "$FETCH" \
        -Dartifact="org.keycloak:keycloak-quarkus-dist:$VERSION:zip" -DoutputDirectory="$home.tmp" >"$home.tmp/maven.log" 2>&1 || {
        cat "$home.tmp/maven.log" >&2
        die "Maven could not fetch Keycloak $VERSION; the reason stands above."
    }
    sha256sum --check --status <<<"$SHA256  $zip" ||
        die "what Maven fetched is not the Keycloak $VERSION that this script knows"
    python3 -m zipfile -e "$zip" "$home.tmp"
    write_start "$home.tmp/keycloak-$VERSION/start"
    say "adapting it (20 seconds)"
    adapt "$home.tmp/keycloak-$VERSION"
    mv "$home.tmp/keycloak-$VERSION" "$home"
    rm -rf "$home.tmp"
    stamp keycloak "$VERSION $RECIPE"
fi
printf '%s\n' "$home"
