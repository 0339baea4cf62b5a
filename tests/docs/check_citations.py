"""Every [key] or [key, eq. n] of docs/theory is an entry of docs/references.bib, and every entry is cited.

usage: check_citations.py ROOT
"""
import os
import re
import sys

CITATION = re.compile(r"\[([A-Z][A-Za-z]{3,}\d{0,4})(?:, [^\]]+)?\](?![(\[\w])")
ENTRY = re.compile(r"^@\w+\{([^,\s]+),", re.MULTILINE)


def without_code(text):
    return re.sub(r"```.*?```|`[^`]*`", "", text, flags=re.DOTALL)


def problems(root):
    """(complaints, number of citations)"""
    with open(os.path.join(root, "docs", "references.bib"), encoding="utf-8") as file:
        entries = ENTRY.findall(file.read())
    complaints = [f"docs/references.bib: {entry} stands there twice." for entry in sorted(set(entries)) if entries.count(entry) > 1]
    cited = set()
    count = 0
    folder = os.path.join(root, "docs", "theory")
    for name in sorted(os.listdir(folder)):
        if not name.endswith(".md"):
            continue
        with open(os.path.join(folder, name), encoding="utf-8") as file:
            keys = CITATION.findall(without_code(file.read()))
        count += len(keys)
        cited.update(keys)
        complaints += [f"docs/theory/{name}: [{key}] is no entry of docs/references.bib." for key in sorted(set(keys) - set(entries))]
    complaints += [f"docs/references.bib: {entry} is cited by no page of docs/theory." for entry in sorted(set(entries) - cited)]
    return complaints, count


def main():
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    complaints, count = problems(sys.argv[1])
    print("\n".join(complaints + [f"{count} citations checked, {len(complaints)} problems."]))
    return 1 if complaints or count == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
