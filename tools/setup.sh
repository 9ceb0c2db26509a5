#!/bin/sh
# Set up .venv from the lock, with the package and what WeasyPrint needs of the system.
# Called by `make`; does nothing that is done already.
#
#   PYTHON=python3.12 tools/setup.sh
set -eu
cd "$(dirname "$0")/.."
venv=.venv
supported='import sys; raise SystemExit(not (3, 11) <= sys.version_info[:2] <= (3, 13))'

say() { printf '%s\n' "$*" >&2; }

find_python() {
    for name in ${PYTHON:-} python3 python3.13 python3.12 python3.11; do
        if "$name" -c "$supported" 2>/dev/null; then
            echo "$name"
            return
        fi
    done
    say "No Python 3.11, 3.12 or 3.13 was found; python3 is: $(python3 --version 2>&1 || echo absent)."
    say "Install one of them, then run again; if it has another name: make PYTHON=/path/to/python3.11 ..."
    exit 1
}

make_venv() {
    if [ -x $venv/bin/python ] && $venv/bin/python -c "$supported" 2>/dev/null; then
        return
    fi
    python=$(find_python)
    say "Making $venv with $("$python" --version)."
    if ! "$python" -m venv --clear $venv; then
        say "Python can't make virtual environments here. On Debian and Ubuntu: apt-get install python3-venv"
        exit 1
    fi
}

install_packages() {
    say "Installing the packages of requirements.lock (a minute or two)."
    $venv/bin/python -m pip install --quiet --disable-pip-version-check --no-input \
        --require-hashes -r requirements.lock
    $venv/bin/python -m pip install --quiet --disable-pip-version-check --no-input \
        --no-deps --no-build-isolation -e .
}

# WeasyPrint without pango ends in an error that nobody can read, so ask for the libraries first.
have_pango() {
    $venv/bin/python - <<'END'
import ctypes

MAC = {"libharfbuzz": "libharfbuzz.0.dylib", "libharfbuzz-subset": "libharfbuzz-subset.0.dylib"}
for name in ("libpango-1.0", "libpangoft2-1.0", "libharfbuzz", "libharfbuzz-subset"):
    for file in (f"{name}.so.0", MAC.get(name, f"{name}.0.dylib"), f"/opt/homebrew/lib/{name}.0.dylib"):
        try:
            ctypes.CDLL(file)
            break
        except OSError:
            continue
    else:
        raise SystemExit(1)
END
}

install_pango() {
    have_pango && return
    debian='apt-get install -y --no-install-recommends libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0'
    if command -v apt-get >/dev/null; then
        if [ "$(id -u)" = 0 ]; then
            sudo=''
        elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
            sudo='sudo -n '
        else
            stop_for_pango "sudo $debian"
        fi
        say "WeasyPrint needs pango, a system library. Installing it: $sudo$debian"
        ${sudo}apt-get update -qq && $sudo$debian >&2
        have_pango || stop_for_pango "$sudo$debian"
    elif command -v dnf >/dev/null; then
        stop_for_pango 'sudo dnf install pango harfbuzz'
    elif command -v brew >/dev/null; then
        stop_for_pango 'brew install pango'
    else
        stop_for_pango 'install pango 1.44 or later and harfbuzz with your package manager'
    fi
}

stop_for_pango() {
    say "WeasyPrint, which makes the PDF, needs pango, a system library that is not installed."
    say "Install it, then run again:"
    say ""
    say "    $1"
    exit 1
}

make_venv
# The stamp holds what was installed; a touched file with the same content installs nothing.
wanted=$(cat requirements.lock pyproject.toml tools/setup.sh | cksum; pwd -P)
if [ "$(cat $venv/.installed 2>/dev/null)" != "$wanted" ]; then
    rm -f $venv/.installed
    install_packages
    printf '%s\n' "$wanted" > $venv/.installed
fi
install_pango
