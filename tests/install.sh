# What the scripts share that put the needs of tests into .test/, which git ignores. Sourced with `set -euo pipefail`.
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

# A command, from Debian's package if it is missing.
need() { # COMMAND PACKAGE…
    command -v "$1" >/dev/null && return
    debian "${@:2}"
    command -v "$1" >/dev/null || { echo "tests: \`$1\` is still missing: install it and run this again" >&2; exit 1; }
}

# Whether a folder was made from exactly these inputs.
current() { [ -f "$1/.made-from" ] && [ "$(cat "$1/.made-from")" = "$2" ]; }

# .test/py-NAME with what a file of requirements names.
python_environment() { # NAME REQUIREMENTS
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
    "$folder/bin/pip" install --quiet --disable-pip-version-check --no-compile -r "$2"
    printf '%s' "$inputs" >"$folder/.made-from"
}
