#!/bin/sh
# Closes a test run with what was left out, so that a skip is never silent.
list=target/skipped.txt
if [ -s "$list" ]; then
    echo "SKIPPED in this run ($(wc -l <"$list")):"
    sort -u "$list" | sed 's/^/  /'
else
    echo "SKIPPED in this run: nothing"
fi
