#!/bin/sh
# The scripted program of the first idea: a fix in the documentation.
set -eu
sed 's/^Opening hours: .*/Opening hours: 8 to 20, monday to saturday./' README.md >README.new
mv README.new README.md
echo "the README tells the new opening hours"
