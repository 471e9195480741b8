#!/bin/sh
# What COUNT loaves cost, in cents.
set -eu
count=$1
shop=$(dirname "$0")/..
price=$(cat "$shop/pricing/loaf")
discount=$(cat "$shop/pricing/discount")
total=$((count * price))
if [ "$count" -ge 10 ]; then
    total=$((total * (100 - discount) / 100))
fi
echo "$total"
