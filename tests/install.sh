# What the `install` scripts of the test folders share; they source it after `set -euo pipefail`. Everything lands in
# .test/, which git ignores, and what is there already is left alone. What cannot be had is a failure, never a skip.
cd "$(dirname "${BASH_SOURCE[0]}")/.."
there=$PWD/.test
mkdir -p "$there"

# Debian's packages, as root; else says what to install and fails.
debian() { # PACKAGE…
    echo "tests: installing $*" >&2
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        apt-get update -q >&2
        DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends "$@" >&2
    else
        echo "tests: install these Debian packages and run this again: $*" >&2
        return 1
    fi
}

# A command, from Debian's packages if it is missing.
need() { # COMMAND PACKAGE…
    command -v "$1" >/dev/null && return
    debian "${@:2}"
    command -v "$1" >/dev/null || { echo "tests: \`$1\` is still missing: install it and run this again" >&2; exit 1; }
}

# Runs a command during which no package starts its service.
without_services() { # COMMAND…
    local policy=/usr/sbin/policy-rc.d
    if [ "$(id -u)" != 0 ] || [ -e "$policy" ]; then
        "$@"
        return
    fi
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod +x "$policy"
    local outcome=0
    ("$@") || outcome=$?
    rm -f "$policy"
    return "$outcome"
}

# Whether a folder was made from exactly these inputs.
current() { [ -f "$1/.made-from" ] && [ "$(cat "$1/.made-from")" = "$2" ]; }

# .test/py-NAME with what a file of requirements names.
python_environment() { # NAME REQUIREMENTS PIP-FLAG…
    local folder=$there/py-$1 inputs
    inputs="$(python3 --version) $(cksum <"$2") $folder"
    current "$folder" "$inputs" && return
    echo "tests: Python environment ($1)" >&2
    rm -rf "$folder"
    if ! python3 -m venv "$folder" >/dev/null 2>&1; then
        rm -rf "$folder"
        debian python3-venv
        python3 -m venv "$folder"
    fi
    "$folder/bin/pip" install --quiet --disable-pip-version-check --no-compile -r "$2" "${@:3}"
    printf '%s' "$inputs" >"$folder/.made-from"
}

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
