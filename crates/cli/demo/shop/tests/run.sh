#!/bin/sh
# What must hold whatever the prices are.
set -eu
cd "$(dirname "$0")/.."
failed=0
expect() {
    if [ "$2" "$3" "$4" ]; then echo "ok    $1"; else echo "FAIL  $1: $2 $3 $4"; failed=1; fi
}
loaf=$(cat pricing/loaf)
discount=$(cat pricing/discount)
expect "a loaf has its price" "$(sh till/total.sh 1)" -eq "$loaf"
expect "nothing costs nothing" "$(sh till/total.sh 0)" -eq 0
expect "nine loaves have no discount" "$(sh till/total.sh 9)" -eq $((9 * loaf))
expect "ten loaves have one" "$(sh till/total.sh 10)" -eq $((10 * loaf * (100 - discount) / 100))
expect "nobody is paid to buy" "$discount" -le 50
expect "the README tells the opening hours" "$(grep -c '^Opening hours: ' README.md)" -eq 1
exit "$failed"
