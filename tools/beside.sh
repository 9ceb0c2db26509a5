#!/bin/sh
# Set up what tests need that can't be in .venv; called by `make test`, does nothing that is done.
#
#   tools/beside.sh validator   .venv-validator, which checks exported crates: roc-validator needs an
#                               older rich than the project
#   tools/beside.sh storage     .venv-storage, packages to put on PYTHONPATH: storage plugins, which
#                               the workflow engine would load in every run, and an S3 server
set -eu
cd "$(dirname "$0")/.."
name=$1
lock=tools/$name.lock
place=.venv-$name

cmp -s "$lock" "$place/done.lock" && exit
echo "Installing tools/$name.in into $place (half a minute)." >&2
rm -rf "$place"
case $name in
    validator) .venv/bin/python -m venv $place; python=$place/bin/python; into= ;;
    storage) python=.venv/bin/python; into="--target $place" ;;
esac
# --use-pep517: old and new pips then build the packages without a wheel in the same way.
# shellcheck disable=SC2086
if ! $python -m pip install --quiet --disable-pip-version-check --no-input --use-pep517 \
    --require-hashes $into -r "$lock"; then
    echo "tools/$name.in could not be installed; what pip said stands above." >&2
    exit 1
fi
cp "$lock" "$place/done.lock"
