# shellcheck shell=bash
# Sourced by every setup script: where fetched things live, and how a step reports, locks and leaves its stamp.
#
# A step builds under a temporary name, renames, and only then writes its stamp, so that a step that was killed half
# way is done again and a finished one is not. Reports go to standard error: standard output carries the step's answer.

set -euo pipefail

ROOT=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)
TOOLS=$ROOT/.tools
STEP=$(basename -- "$0" .sh)

say() { printf '%s: %s\n' "$STEP" "$*" >&2; }

die() {
    say "$@"
    exit 1
}

# One run of a step at a time: two `make` in one checkout must not write the same folder.
lock() {
    mkdir -p "$TOOLS/stamps"
    command -v flock >/dev/null || return 0
    exec 9>"$TOOLS/stamps/$STEP.lock"
    flock 9
}

# stamped NAME VERSION: whether that step was finished for that version.
stamped() { [[ -f $TOOLS/stamps/$1 && $(<"$TOOLS/stamps/$1") == "$2" ]]; }

stamp() {
    printf '%s\n' "$2" >"$TOOLS/stamps/$1.tmp"
    mv -f "$TOOLS/stamps/$1.tmp" "$TOOLS/stamps/$1"
}

# use_given VARIABLE COMMAND: ends the step with the path of what the variable names, or else of the command on PATH.
use_given() {
    local given=${!1:-} binary
    if [[ -n $given ]]; then
        binary=$(command -v -- "$given") || die "$1=$given is not an executable; correct it or unset it"
        say "$1=$binary is used"
        realpath -- "$binary"
        exit
    fi
    if binary=$(command -v -- "$2"); then
        say "$binary is used, being on PATH"
        printf '%s\n' "$binary"
        exit
    fi
}

# The folder that cargo builds into, absolute.
target_dir() { realpath -m -- "${CARGO_TARGET_DIR:-$ROOT/target}"; }

# npm_quietly COMMAND...: runs npm, and no script of what it installs.
npm_quietly() {
    local certificates=/etc/ssl/certs/ca-certificates.crt
    command -v npm >/dev/null || die "npm is needed (Debian: apt-get install npm; others: https://nodejs.org)"
    # npm does not read the system's certificate authorities, among which a company's own may be.
    [[ ! -r $certificates ]] || export NODE_EXTRA_CA_CERTS=${NODE_EXTRA_CA_CERTS:-$certificates}
    npm "$@" --ignore-scripts --no-update-notifier --no-audit --no-fund --loglevel error >&2
}

# cargo_install CRATE VERSION BINARY [FLAG...]: builds one tool once per version and prints the path of its binary.
cargo_install() {
    local crate=$1 version=$2 binary=$3
    shift 3
    local home=$TOOLS/$crate-$version

    if stamped "$crate" "$version" && [[ -x $home/bin/$binary ]]; then
        say "$crate $version is there already"
    else
        say "building $crate $version from crates.io (a minute or two)"
        rm -rf "$home" "$home.tmp"
        if ! cargo_build_tool --locked "$@"; then
            # A registry mirror may not have a dependency's newest version yet that the tool's lock file names. Anything
            # else that failed would fail again.
            grep -q 'failed to select a version' "$TOOLS/build/$crate.log" ||
                die "cargo could not install $crate $version; the reason stands above. 'make setup' resumes here."
            say "the registry lacks a version that the lock file of $crate names; resolving its dependencies anew"
            cargo_build_tool "$@" || die "cargo could not install $crate $version; the reason stands above."
        fi
        mv "$home.tmp" "$home"
        stamp "$crate" "$version"
        rm -rf "$TOOLS/build/$crate" "$TOOLS/build/$crate.log"
    fi
    printf '%s\n' "$home/bin/$binary"
}

# One attempt of cargo_install, whose variables it reads. Its build folder survives a killed run, and what was compiled
# with it. The tools run for seconds: link-time optimisation would double their build for nothing. The user's own
# compiler flags are for the project.
cargo_build_tool() {
    mkdir -p "$TOOLS/build"
    env -u RUSTC -u RUSTFLAGS -u CARGO_ENCODED_RUSTFLAGS -u CARGO_BUILD_TARGET \
        CARGO_TARGET_DIR="$TOOLS/build/$crate" CARGO_PROFILE_RELEASE_LTO=false CARGO_PROFILE_RELEASE_OPT_LEVEL=1 \
        CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 CARGO_PROFILE_RELEASE_DEBUG=0 \
        cargo install --quiet --no-track --version "=$version" --bin "$binary" --root "$home.tmp" "$@" "$crate" \
        >"$TOOLS/build/$crate.log" 2>&1 || {
        cat "$TOOLS/build/$crate.log" >&2
        return 1
    }
}

# go_install PACKAGE@VERSION: builds one tool once per version and prints the path of its binary. Go verifies what it fetches
# by its checksum database.
go_install() {
    local go name=${1%@*} version=${1##*@}
    # The last part of a path may be a major version.
    name=$(basename -- "${name%/v[0-9]}")
    local home=$TOOLS/$name-$version

    if stamped "$name" "$version" && [[ -x $home/$name ]]; then
        say "$name $version is there already"
    else
        go=$(command -v go || command -v /usr/local/go/bin/go) ||
            die "Go is needed to build $name (Debian: apt-get install golang-go; others: https://go.dev)"
        say "building $name $version with Go"
        rm -rf "$home" "$home.tmp"
        GOBIN=$home.tmp GOFLAGS=-buildvcs=false "$go" install "$1" >&2 ||
            die "Go could not build $1; the reason stands above"
        mv "$home.tmp" "$home"
        stamp "$name" "$version"
    fi
    printf '%s\n' "$home/$name"
}
