#!/bin/sh
# The scripted program of the second idea: an edit under a path that the repository protects.
set -eu
echo 12 >pricing/discount
sh tests/run.sh
