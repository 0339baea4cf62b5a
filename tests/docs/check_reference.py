"""docs/reference/configuration.md is what the program generates from the settings' own documentation.

To renew it: script/reference
"""
import difflib
import os
import subprocess
import sys


def main():
    program = os.environ.get("UNCHANNEL_PROGRAM", "")
    if not os.path.exists(program):
        print("skipped 'this build has no unchannel program'")
        return 77
    page = os.path.join(os.environ["UNCHANNEL_SOURCE_DIR"], "docs", "reference", "configuration.md")
    generated = subprocess.run([program, "reference"], check=True, capture_output=True, text=True).stdout
    with open(page, encoding="utf-8") as file:
        written = file.read()
    difference = list(difflib.unified_diff(written.splitlines(), generated.splitlines(), "docs/reference/configuration.md", "generated", lineterm=""))
    if difference:
        print("\n".join(difference[:40]))
        print("docs/reference/configuration.md is not current: run script/reference and commit it.")
        return 1
    print(f"current, {len(written.splitlines())} lines")
    return 0


if __name__ == "__main__":
    sys.exit(main())
