"""Every listing of the plugin authors' pages is a part, line by line, of a file that a test compiles and runs.

usage: check_listings.py ROOT

A block in a programming language needs `<!-- from: file -->` on the line before it. `@NAME@` of a template reads my_instrument.
"""
import os
import sys

import markdown

PAGES = "docs/plugin-authors"
LANGUAGES = ("c", "cpp", "c++", "cuda", "fortran", "python", "cmake")
# What tests/unit/plugin_api, tests/unit/plugin_project and tests/abi/cuda build and run. known_answers.cu: compiled where nvcc is, run where a GPU is.
TESTED = ("plugin-api/template/", "plugin-api/examples/", "plugin-api/cmake/", "tests/unit/plugin_api/known_answers.cu",
          "tests/abi/cuda/cuda_channel.cpp")


def complaint_about(root, block):
    if not block.source:
        return None if block.language not in LANGUAGES else "has no <!-- from: file --> on the line before it."
    path = os.path.normpath(block.source)
    if not path.startswith(TESTED) or not os.path.isfile(os.path.join(root, path)):
        return f"{block.source} is not one of the files that tests build and run: {', '.join(TESTED)}."
    if not block.text.strip():
        return "is empty."
    with open(os.path.join(root, path), encoding="utf-8") as file:
        text = "\n" + file.read().replace("@NAME@", "my_instrument")
    return None if "\n" + block.text in text else f"is no part of {block.source}: copy the lines from there."


def check_page(root, page):
    """(complaints, number of listings)"""
    with open(os.path.join(root, page), encoding="utf-8") as file:
        blocks = markdown.blocks(file.read())
    found = [(block, complaint_about(root, block)) for block in blocks]
    return [f"{page}:{block.line}: {text}" for block, text in found if text], sum(bool(block.source) for block in blocks)


def main():
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    root, complaints, count = sys.argv[1], [], 0
    for name in sorted(os.listdir(os.path.join(root, PAGES))):
        if name.endswith(".md"):
            found, listings = check_page(root, f"{PAGES}/{name}")
            complaints += found
            count += listings
    print("\n".join(complaints + [f"{count} listings compared, {len(complaints)} differ."]))
    return 1 if complaints or count == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
