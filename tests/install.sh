# What the `install` scripts of the test folders share; they source it. Everything lands in .test/, which git ignores,
# and what is there already is left alone. What cannot be had is a failure, never a skip.
cd "$(dirname "${BASH_SOURCE[0]}")/.."
there=$PWD/.test
mkdir -p "$there"

# Debian's packages, where we may install them.
debian() { # PACKAGE…
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || return 0
    apt-get update -q >&2
    DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends "$@" >&2
}

# A command, from Debian's packages if it is missing and we may install; else says what is missing and fails.
need() { # COMMAND PACKAGE…
    command -v "$1" >/dev/null && return
    echo "tests: \`$1\` is missing, installing: ${*:2}" >&2
    debian "${@:2}"
    command -v "$1" >/dev/null || { echo "tests: install \`$1\` and run this again" >&2; exit 1; }
}

# Whether a folder was made from exactly these inputs.
current() { [ -f "$1/.made-from" ] && [ "$(cat "$1/.made-from")" = "$2" ]; }

# The Node modules that a test folder's lock file names.
node_modules() { # FOLDER-IN-.test TEST-FOLDER
    local folder=$there/$1 from=$PWD/$2 inputs
    inputs="$(node --version) $(cksum <"$from/package-lock.json")"
    current "$folder" "$inputs" && return
    echo "tests: Node modules of $2" >&2
    rm -rf "$folder"
    mkdir -p "$folder"
    cp "$from/package.json" "$from/package-lock.json" "$folder/"
    (cd "$folder" && npm ci --silent --ignore-scripts --no-audit --no-fund)
    printf '%s' "$inputs" >"$folder/.made-from"
}
