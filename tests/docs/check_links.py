"""Every relative link of every Markdown file leads to a file, and every #anchor to a heading.

usage: check_links.py ROOT
"""
import os
import sys
import urllib.parse

import markdown

SKIPPED_FOLDERS = {".git", ".deps", "build", "install", "runs", "data", "node_modules"}


def pages(root):
    for folder, subfolders, names in os.walk(root):
        # Top-level build products only: core/data is a module.
        if os.path.samefile(folder, root):
            subfolders[:] = [name for name in subfolders if name not in SKIPPED_FOLDERS]
        subfolders.sort()
        for name in sorted(names):
            if name.endswith(".md"):
                yield os.path.join(folder, name)


def broken_links(root):
    """(complaints, number of links checked)"""
    complaints, count = [], 0
    for page in pages(root):
        with open(page, encoding="utf-8") as file:
            text = file.read()
        for line, target in markdown.links(text):
            if "://" in target or target.startswith("mailto:"):
                continue  # the tests need no network
            count += 1
            path, _, anchor = urllib.parse.unquote(target).partition("#")
            base = root if path.startswith("/") else os.path.dirname(page)
            file = os.path.normpath(os.path.join(base, path.lstrip("/"))) if path else page
            place = f"{os.path.relpath(page, root)}:{line}"
            if not os.path.exists(file):
                complaints.append(f"{place}: the link {target} leads to no file.")
            elif anchor and file.endswith(".md"):
                with open(file, encoding="utf-8") as other:
                    if anchor.lower() not in markdown.anchors(other.read()):
                        complaints.append(f"{place}: the link {target} leads to no heading.")
    return complaints, count


def main():
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    complaints, count = broken_links(sys.argv[1])
    print("\n".join(complaints + [f"{count} relative links checked, {len(complaints)} broken."]))
    return 1 if complaints or count == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
