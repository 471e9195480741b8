#!/bin/sh
# Runs cargo for the Makefile: sees to what the build needs from the system, and finds the toolchain of the PATH
# also when HOME is empty (rustup looks for it in HOME alone, and cargo would download every package again).
set -eu

say() { printf 'tiltyard: %s\n' "$*" >&2; }

# Programs and the Debian packages that hold them.
missing=""
for pair in git:git curl:curl cc:gcc; do
    command -v "${pair%%:*}" >/dev/null 2>&1 || missing="$missing ${pair##*:}"
done
if [ -n "$missing" ]; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
        say "you are root and these are missing: installing$missing with apt-get"
        # shellcheck disable=SC2086 # one word a package
        apt-get install -y --no-install-recommends $missing >&2 ||
            { apt-get update >&2 && apt-get install -y --no-install-recommends $missing >&2; }
    else
        say "missing on this machine:$missing. Install them (Debian: sudo apt-get install$missing) and run this again."
        exit 1
    fi
fi

cargo=$(command -v cargo || true)
if [ -z "$cargo" ]; then
    say "no cargo in PATH. Install Rust 1.95 or newer from https://rustup.rs and run this again."
    exit 1
fi

# ~/.cargo/bin/cargo means that ~/.cargo and ~/.rustup are the homes, whoever's they are.
bin=$(dirname "$cargo")
home=$(dirname "$bin")
if [ "$(basename "$bin")" = bin ] && [ ! -d "${HOME:-/nowhere}/.rustup" ]; then
    beside=$(dirname "$home")
    for rustup in "$beside/.rustup" "$beside/rustup"; do
        if [ -z "${RUSTUP_HOME:-}" ] && [ -d "$rustup/toolchains" ]; then
            RUSTUP_HOME=$rustup
            export RUSTUP_HOME
        fi
    done
    if [ -z "${CARGO_HOME:-}" ] && [ -d "$home/registry" ] && [ -w "$home/registry" ]; then
        CARGO_HOME=$home
        export CARGO_HOME
    fi
fi

if ! cargo --version >/dev/null 2>&1; then
    say "cargo is in PATH but does not run:"
    cargo --version
fi
exec cargo "$@"
