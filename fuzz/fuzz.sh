# What fuzz/run and fuzz/merge share; they source it after `set -euo pipefail`. cargo-fuzz is installed into .test/ if it
# is missing. Its flags are unstable, which the pinned stable compiler takes under RUSTC_BOOTSTRAP.
. "$(dirname "${BASH_SOURCE[0]}")/../tests/install.sh"

need g++ g++
export PATH="$there/cargo/bin:$PATH" RUSTC_BOOTSTRAP=1
command -v cargo-fuzz >/dev/null || cargo install --quiet --locked cargo-fuzz --version 0.13.2 --root "$there/cargo"
# Stores of the differential target are directories: in memory they cost a tenth.
[ ! -d /dev/shm ] || export TMPDIR=/dev/shm

# One target over directories, with flags of libFuzzer behind `--`.
fuzz() { # TARGET DIRECTORY… -- FLAG…
    local how=(--target-dir .test/fuzz-target)
    # Nothing in these is unsafe, and without AddressSanitizer they try several times as many inputs.
    case $1 in fold | differential) how=(--sanitizer none --target-dir .test/fuzz-target-plain) ;; esac
    cargo fuzz run "${how[@]}" "$@" -rss_limit_mb=2048 -timeout=10
}
