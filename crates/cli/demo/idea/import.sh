#!/bin/sh
# The scripted program of the third idea: it fails, however often it is tried.
echo "asking the wholesaler for the price list"
echo "the wholesaler does not answer" >&2
exit 7
