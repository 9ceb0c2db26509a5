#!/bin/sh
# Set up .venv-validator, which checks exported crates in the tests: roc-validator needs an older
# rich than the project. Called by `make test-records`; does nothing that is done already.
set -eu
cd "$(dirname "$0")/.."
venv=.venv-validator
lock=tools/validator.lock
done=$venv/done.lock

cmp -s $lock $done && exit
echo "Installing roc-validator into $venv (half a minute)." >&2
.venv/bin/python -m venv --clear $venv
# --use-pep517: old and new pips then build the packages without a wheel in the same way.
if ! $venv/bin/python -m pip install --quiet --disable-pip-version-check --no-input --use-pep517 \
    --require-hashes -r $lock; then
    echo "roc-validator could not be installed; what pip said stands above." >&2
    exit 1
fi
cp $lock $done
