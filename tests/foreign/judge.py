"""Holds a suite's outcome against its list of expected failures.

    judge.py EXPECTED < lines `passed NAME` and `failed NAME`

A line of the list is `KIND NAME: reason`, KIND being mariadb, mysql, both or, for a test that fails
at times, sometimes. A failure that isn't listed fails the run, and so does a listed one that passes.
"""
import os
import sys

expected, sometimes = {}, set()
with open(sys.argv[1], encoding="utf-8") as file:
    for line in file:
        if not line.strip() or line.startswith("#"):
            continue
        kind, rest = line.split(" ", 1)
        name, reason = rest.split(": ", 1)
        if kind == "sometimes":
            sometimes.add(name)
        elif kind in ("both", os.environ["WEIR_KIND"]):
            expected[name] = reason.strip()

passed, failed = set(), set()
for line in sys.stdin:
    word, _, name = line.strip().partition(" ")
    if word == "passed":
        passed.add(name)
    elif word == "failed":
        failed.add(name)

wrong = [f"fails: {name}" for name in sorted(failed - set(expected) - sometimes)]
wrong += [f"passes, take it off the list: {name}" for name in sorted(passed & set(expected))]
if not passed:
    wrong.append("no test passed")
print("\n".join(wrong + [f"{len(passed)} passed, {len(failed)} failed as expected"
                         if not wrong else f"{len(wrong)} wrong of {len(passed) + len(failed)}"]))
sys.exit(1 if wrong else 0)
