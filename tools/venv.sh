#!/bin/sh
# Makes and keeps .venv: the one place where the program and its tools are installed.
#
#   tools/venv.sh check            answers "ok", or one line that says what to do
#   tools/venv.sh install KIND     KIND is runtime, dev (that and more) or bench (all of it and
#                                  more); does nothing when that is there and nothing changed
#
# Plain pip installs what requirements*.txt pins by hash, as wheels only: no code of a
# source package runs, and no compiler is needed (docs/decisions/0001).
# PYTHON names an interpreter; without it the newest that the suite runs on is taken.
set -eu

# Settings of the caller that would send pip somewhere else than into .venv.
unset CDPATH PIP_USER PIP_TARGET PIP_PREFIX PIP_ROOT PIP_REQUIRE_HASHES PYTHONHOME PYTHONPATH

cd -- "$(dirname -- "$0")/.."

hint="or name another interpreter: make PYTHON=/path/to/python3"
stamp=".venv/.installed"

# The version (as 3.11) of the interpreter $1, or nothing when it can't be run.
version_of() {
    "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null </dev/null || true
}

is_new_enough() {
    case "$1" in
    3.1[1-9] | 3.[2-9][0-9]) return 0 ;;
    *) return 1 ;;
    esac
}

# Debian splits ensurepip off into python3.X-venv: "import venv" alone works without it.
can_make_venv() {
    "$1" -c 'import ensurepip, venv' >/dev/null 2>&1 </dev/null
}

# Sets interpreter to one that will do, or problem to one line that says what to do.
find_interpreter() {
    interpreter="" problem=""
    if [ -n "${PYTHON:-}" ]; then
        set -- "$PYTHON"
    else
        # Those that the suite is run on come first, then whatever else there is.
        set -- python3.13 python3.12 python3.11 python3.14 python3 python
    fi
    for candidate in "$@"; do
        version=$(version_of "$candidate")
        if [ -z "$version" ]; then
            reason="$candidate can't be run"
            advice="install Python 3.11 or newer"
        elif ! is_new_enough "$version"; then
            reason="$candidate is Python $version"
            advice="install Python 3.11 or newer"
        elif ! can_make_venv "$candidate"; then
            reason="$candidate (Python $version) has no venv module"
            advice="install it (Debian, Ubuntu: apt install python$version-venv)"
            problem="$reason: $advice, $hint"
        else
            interpreter="$candidate" problem=""
            return 0
        fi
    done
    if [ -n "$problem" ]; then
        :
    elif [ -n "${PYTHON:-}" ]; then
        problem="$reason: $advice, $hint"
    else
        problem="no Python 3.11 or newer found: install one (Debian, Ubuntu: apt install python3 python3-venv), $hint"
    fi
    return 1
}

# What an installation is made of; it is done again when any of this changes, and when the
# checkout was moved (the scripts in .venv/bin name their directory).
fingerprint() {
    printf '%s\n' "$(pwd -P)" "$(.venv/bin/python -c 'import sys; print(sys.version)')"
    cksum pyproject.toml requirements.txt requirements-build.txt requirements-dev.txt \
        requirements-bench.txt requirements-pip.txt
}

# The environment is there, of the version asked for, and pip in it runs.
venv_is_usable() {
    [ -x .venv/bin/python ] || return 1
    version=$(version_of .venv/bin/python)
    is_new_enough "$version" || return 1
    [ -z "${PYTHON:-}" ] || [ "$(version_of "$PYTHON")" = "$version" ] || return 1
    # One that was left half made would install into the interpreter that it was made from.
    .venv/bin/python -c 'import pip, sys; sys.exit(sys.prefix == sys.base_prefix)' >/dev/null 2>&1
}

is_installed() { # kind
    [ -f "$stamp" ] || return 1
    case "$1:$(head -n 1 "$stamp")" in
    runtime:runtime | runtime:dev | runtime:bench | dev:dev | dev:bench | bench:bench) ;;
    *) return 1 ;;
    esac
    [ "$(tail -n +2 "$stamp")" = "$(fingerprint)" ]
}

# Python compiles what is imported, which is less than half of what comes.
pip_install() {
    .venv/bin/python -m pip install --no-compile --quiet --no-input --disable-pip-version-check "$@"
}

install() { # kind
    case "$1" in
    runtime) lock=requirements.txt ;;
    dev) lock=requirements-dev.txt ;;
    bench) lock=requirements-bench.txt ;;
    *)
        echo "tools/venv.sh: install runtime, dev or bench" >&2
        exit 64
        ;;
    esac
    if venv_is_usable; then
        if is_installed "$1"; then
            return 0
        fi
    else
        if ! find_interpreter; then
            echo "$problem" >&2
            exit 1
        fi
        echo "Making .venv with $interpreter"
        "$interpreter" -m venv --clear .venv
    fi
    echo "Installing what $lock pins into .venv (once; a minute or so)"
    rm -f "$stamp"
    pip_install --require-hashes --only-binary :all: -r requirements-pip.txt
    pip_install --require-hashes --only-binary :all: -r "$lock" -r requirements-build.txt
    pip_install --no-deps --no-build-isolation --editable .
    { echo "$1" && fingerprint; } >"$stamp.new"
    mv "$stamp.new" "$stamp"
}

case "${1:-}" in
check)
    if venv_is_usable || find_interpreter; then
        echo ok
    else
        echo "$problem"
    fi
    ;;
install)
    install "${2:-}"
    ;;
*)
    echo "tools/venv.sh: check, or install runtime|dev|bench" >&2
    exit 64
    ;;
esac
