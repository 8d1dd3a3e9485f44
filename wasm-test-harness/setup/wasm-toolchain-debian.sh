#!/usr/bin/env bash
# Assembles a compiler for the wasm targets in .tools/wasm out of Debian's packages, for machines that the Rust
# distribution server is out of reach of. Nothing outside the checkout changes, and root is not needed: the packages
# are unpacked, not installed (they conflict with rustup), and apt's lists are kept in .tools as well.
#
# With --complete: does nothing, and succeeds if an earlier run finished.
# shellcheck source-path=SCRIPTDIR source=common.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"

WASM=$TOOLS/wasm
APT=$TOOLS/apt
DEBS=$TOOLS/debs
TARGETS=(wasm32-wasip1 wasm32-unknown-unknown)
# Raise it when this script assembles the compiler differently, so that existing checkouts do it again.
RECIPE=1

complete() { stamped wasm-debian "$RECIPE" && [[ -x $WASM/bin/rustc ]]; }

private_apt() {
    local command=$1
    shift
    "$command" -o Dir::State::Lists="$APT/lists" -o Dir::Cache="$APT/cache" -o APT::Sandbox::User=root \
        -o Debug::NoLocking=true -o Acquire::Retries=3 -o Acquire::http::Timeout=20 -o Acquire::https::Timeout=20 "$@"
}

# dependency PACKAGE PATTERN: the first dependency of PACKAGE whose whole name matches.
dependency() {
    private_apt apt-cache depends --important "$1" | awk -v pattern="^$2\$" '$1 == "Depends:" && $2 ~ pattern { print $2; exit }'
}

candidate() { private_apt apt-cache policy "$1" | awk '$1 == "Candidate:" && $2 != "(none)" { print $2 }'; }

# The shared libraries that the compiler needs and this machine has not installed (a bare image has no libz3, say).
missing_libraries() {
    local package
    for package in $(private_apt apt-cache depends --recurse --important "$@" | grep -E '^(lib|zlib)[a-z0-9.+-]+$' | grep -vx libc6 | sort -u); do
        [[ -z $(candidate "$package") ]] && continue # virtual: something else provides it
        [[ $(dpkg-query --show --showformat '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || printf '%s\n' "$package"
    done
}

fetch_packages() {
    if stamped wasm-debian-packages "$RECIPE" && [[ -d $DEBS ]]; then
        say "the packages are there already"
        return
    fi
    type apt-get apt-cache dpkg-deb >/dev/null 2>&1 ||
        die "this way needs Debian's apt and dpkg. Elsewhere: rustup target add ${TARGETS[*]}"

    say "reading Debian's package lists"
    mkdir -p "$APT/lists/partial" "$APT/cache/archives/partial"
    private_apt apt-get --quiet --quiet update >&2 || say "apt could not read every list; going on with what it has"

    local version need std llvm packages
    version=$(candidate rustc-web)
    need=$(sed -n 's/^rust-version = "\(.*\)"$/\1/p' "$ROOT/Cargo.toml")
    [[ -n $version ]] ||
        die "apt knows no package rustc-web: /etc/apt/sources.list* must name Debian 12 and its -security suite, and be reachable"
    dpkg --compare-versions "$version" ge "$need" ||
        die "rustc-web is $version here, and gatepost needs $need: add Debian's -security suite to /etc/apt/sources.list*"

    std=$(dependency libstd-rust-web-dev 'libstd-rust-web-[0-9.]+')
    llvm=$(dependency "$std" 'libllvm[0-9]+')
    [[ -n $std && -n $llvm ]] || die "rustc-web $version depends on no libstd-rust-web-N or libllvmN: this script must learn the new names"
    packages=(rustc-web rust-web-clippy rust-web-src libstd-rust-web-dev "$std" "$llvm" "lld-${llvm#libllvm}" wasi-libc)
    mapfile -t -O "${#packages[@]}" packages < <(missing_libraries "$llvm" "$std" "lld-${llvm#libllvm}" |
        grep -Fvx -e "$llvm" -e "$std")

    say "fetching rustc $version and what it needs (${#packages[@]} packages, 150 MB)"
    mkdir -p "$DEBS.tmp"
    (cd "$DEBS.tmp" && private_apt apt-get --quiet --quiet download "${packages[@]}" >&2) ||
        die "apt could not fetch ${packages[*]}; the reason stands above. 'make setup' resumes here."
    rm -rf "$DEBS"
    mv "$DEBS.tmp" "$DEBS"
    stamp wasm-debian-packages "$RECIPE"
}

unpack() {
    if stamped wasm-debian-unpacked "$RECIPE" && [[ -x $WASM/bin/rustc ]]; then
        say "the compiler is unpacked already"
        return
    fi
    say "unpacking the compiler"
    local tree=$WASM.tmp deb host wrapper
    rm -rf "$WASM" "$tree"
    mkdir -p "$tree/bin"
    for deb in "$DEBS"/*.deb; do
        case ${deb##*/} in
            # 340 MB, of which the standard library is a fifth.
            rust-web-src_*) dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$tree" --wildcards './usr/src/*/library' './usr/lib/*' ;;
            *) dpkg-deb --extract "$deb" "$tree" ;;
        esac
    done

    # Beside bin/, where rustc infers its sysroot from the place of its driver library.
    mv "$tree"/usr/lib/*-linux-gnu/*.so* "$tree/usr/lib/"
    [[ ! -d $tree/lib ]] || find "$tree/lib" -name '*.so*' -exec mv -t "$tree/usr/lib/" {} +
    host=$(basename -- "$tree"/usr/lib/rustlib/*-linux-gnu)
    mkdir -p "$tree/usr/lib/rustlib/$host/bin"
    cp -L "$tree"/usr/lib/llvm-*/bin/lld "$tree/usr/lib/rustlib/$host/bin/rust-lld"

    # cargo-clippy starts the clippy-driver beside itself: it moves to where the wrapper of that one is.
    mv "$tree/usr/bin/cargo-clippy" "$tree/bin/cargo-clippy.bin"
    wrap "$tree" cargo-clippy cargo-clippy.bin
    for wrapper in rustc rustdoc clippy-driver; do
        wrap "$tree" "$wrapper" "../usr/bin/$wrapper"
    done

    mv "$tree" "$WASM"
    stamp wasm-debian-unpacked "$RECIPE"
}

# wrap TREE NAME BINARY: TREE/bin/NAME runs BINARY with the libraries unpacked beside it.
wrap() {
    cat >"$1/bin/$2" <<EOF
#!/bin/sh
here=\${0%/*}
LD_LIBRARY_PATH="\$here/../usr/lib\${LD_LIBRARY_PATH:+:\$LD_LIBRARY_PATH}" exec "\$here/$3" "\$@"
EOF
    chmod +x "$1/bin/$2"
}

build_std() {
    local target=$1
    local crate=$WASM/std-$target to=$WASM/usr/lib/rustlib/$target
    if stamped "wasm-debian-std-$target" "$RECIPE" && [[ -d $to ]]; then
        say "the standard library for $target is there already"
        return
    fi
    say "building the standard library for $target (half a minute)"
    mkdir -p "$crate/src"
    : >"$crate/src/lib.rs"
    # Its own workspace: the checkout's is above it.
    printf '[package]\nname = "empty"\nedition = "2024"\n[workspace]\n' >"$crate/Cargo.toml"

    # Without bitcode the module could not be optimised together with std; remapped paths keep this folder's name out of
    # its panic messages.
    (cd "$crate" && env -u CARGO_ENCODED_RUSTFLAGS -u CARGO_BUILD_TARGET -u RUSTC_WRAPPER -u RUSTC_WORKSPACE_WRAPPER \
        CARGO_TARGET_DIR="$crate/target" RUSTC="$WASM/bin/rustc" RUSTC_BOOTSTRAP=1 \
        RUSTFLAGS="-Cembed-bitcode=yes --remap-path-prefix=$WASM/usr/lib/rustlib/src/rust=/rust" \
        cargo build --quiet --release --target "$target" -Zbuild-std=std,panic_abort,test) >&2 ||
        die "the standard library for $target did not build; the reason stands above. 'make setup' resumes here."

    rm -rf "$to" "$to.tmp"
    mkdir -p "$to.tmp/lib"
    cp "$crate/target/$target/release/deps/"*.rlib "$to.tmp/lib/"
    rm -f "$to.tmp/lib/libempty"*
    if [[ $target == wasm32-wasip1 ]]; then
        mkdir "$to.tmp/lib/self-contained"
        cp "$WASM"/usr/lib/wasm32-wasi/{crt1-reactor.o,crt1-command.o,libc.a} "$to.tmp/lib/self-contained/"
    fi
    mv "$to.tmp" "$to"
    stamp "wasm-debian-std-$target" "$RECIPE"
    rm -rf "$crate"
}

if [[ ${1:-} == --complete ]]; then
    complete
    exit
fi

lock
if complete; then
    say "Debian's compiler is there already"
    exit
fi
fetch_packages
unpack
for target in "${TARGETS[@]}"; do
    build_std "$target"
done
# What an older compiler left there would not fit the new one's standard library.
rm -rf "$(target_dir)/debian"
stamp wasm-debian "$RECIPE"
rm -rf "$DEBS" "$APT" "$WASM/usr/src"
