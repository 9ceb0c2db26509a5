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
    if [ -n "${PYTHON:-}" ] && ! "$PYTHON" -c "$supported" 2>/dev/null; then
        say "PYTHON=$PYTHON is not a Python 3.11, 3.12 or 3.13: $("$PYTHON" --version 2>&1 || true)"
        exit 1
    fi
    for name in ${PYTHON:+"$PYTHON"} python3 python3.13 python3.12 python3.11; do
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
    # Without pip it is what a Python lacking its venv package leaves behind.
    if [ -x $venv/bin/python ] && $venv/bin/python -c "$supported; import pip" 2>/dev/null; then
        return
    fi
    python=$(find_python)
    say "Making $venv with $("$python" --version)."
    if ! said=$("$python" -m venv --clear $venv 2>&1); then
        rm -rf $venv
        say "$said"
        say ""
        say "$python can't make virtual environments here; what it said stands above."
        if command -v apt-get >/dev/null; then
            version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
            say "On Debian and Ubuntu a package is missing. $(run_as_root)"
            say ""
            say "    $(sudo_if_there)apt-get update && $(sudo_if_there)apt-get install -y python$version-venv"
        fi
        exit 1
    fi
}

# The first words of an instruction, and `sudo` of its commands where there is sudo.
run_as_root() {
    if [ "$(id -u)" = 0 ] || command -v sudo >/dev/null; then
        echo "Install it, then run again:"
    else
        echo "Only root can install it (there is no sudo here). As root, then run again as yourself:"
    fi
}

sudo_if_there() {
    if [ "$(id -u)" != 0 ] && command -v sudo >/dev/null; then echo "sudo "; fi
}

install_packages() {
    say "Installing the packages of requirements.lock (a minute or two)."
    # --use-pep517: old and new pips then build the one package without a wheel in the same way.
    pip_install --use-pep517 --require-hashes -r requirements.lock
    pip_install --no-deps --no-build-isolation -e .
}

pip_install() {
    if ! $venv/bin/python -m pip install --quiet --disable-pip-version-check --no-input "$@"; then
        say ""
        say "The packages could not be installed; what pip said stands above. They come from PyPI, or"
        say "from the index that pip is set to (pip config list; PIP_INDEX_URL, HTTPS_PROXY, PIP_CERT)."
        say "Nothing is half done: mend it and run the same command again."
        exit 1
    fi
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

debian_pango='libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0'
fedora_pango='pango harfbuzz'

# Pango brings the fonts' configuration with it; the report's fonts come with the Python packages.
install_pango() {
    have_pango && return
    sudo=$(sudo_if_there)
    if command -v apt-get >/dev/null; then
        manager=apt_get
        # A bare machine has no package lists yet: the update belongs to the command.
        command="${sudo}apt-get update && ${sudo}apt-get install -y --no-install-recommends $debian_pango"
    elif command -v dnf >/dev/null; then
        manager=dnf_
        command="${sudo}dnf install -y $fedora_pango"
    elif command -v brew >/dev/null; then
        stop_for_pango 'brew install pango'
    else
        stop_for_pango 'pango 1.44 or later and harfbuzz, with the package manager of this machine'
    fi
    if [ "$(id -u)" = 0 ]; then
        as_root=''
    elif [ -n "$sudo" ] && sudo -n true 2>/dev/null; then
        as_root='sudo -n'
    else
        stop_for_pango "$command"
    fi
    say "WeasyPrint, which makes the PDF, needs pango, a system library that is not installed."
    say "Installing it now: $command"
    $manager $as_root >/dev/null || say "That failed; what the package manager said stands above."
    have_pango || stop_for_pango "$command"
    say "Pango is installed."
}

# Words before the manager's name come as arguments. A new server often updates itself at first:
# wait for the lock.
apt_get() {
    set -- "$@" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300
    "$@" update && "$@" -o Dpkg::Use-Pty=0 install -y --no-install-recommends $debian_pango
}

dnf_() {
    "$@" dnf install -y -q $fedora_pango
}

stop_for_pango() {
    say "WeasyPrint, which makes the PDF, needs pango, a system library that is not installed."
    say "$(run_as_root)"
    say ""
    say "    $1"
    say ""
    exit 1
}

make_venv
# Before the packages: whoever must ask somebody for a library shouldn't wait a minute first.
install_pango
# The stamp holds what was installed; a touched file with the same content installs nothing.
wanted=$(cat requirements.lock pyproject.toml tools/setup.sh | cksum; pwd -P)
if [ "$(cat $venv/.installed 2>/dev/null)" != "$wanted" ]; then
    rm -f $venv/.installed
    install_packages
    printf '%s\n' "$wanted" > $venv/.installed
fi
