"""Runs every fenced sh block of a page, in order, as a reader would; a block with `<!-- not run: reason -->` before it is left out.

usage: check_commands.py ROOT PAGE

The blocks of a page share one scratch folder that mirrors the checkout by links (its build/release is the build under test), so
relative paths work as written and whatever the commands write is thrown away. toml blocks must be valid TOML.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib

import markdown

SECONDS_PER_PAGE = 55  # no test takes more than 60 s
NEEDS_PROGRAM = re.compile(r"bin/unchannel(?!-)")  # unchannel-worker is part of torch-free builds


def mirror(root, scratch):
    for name in os.listdir(root):
        if name == "configs":  # copied: paths in a configuration lead from its own folder into the scratch folder
            shutil.copytree(os.path.join(root, name), os.path.join(scratch, name))
        elif name not in (".git", "build", "runs", "data"):
            os.symlink(os.path.join(os.path.abspath(root), name), os.path.join(scratch, name))
    binary = os.environ.get("UNCHANNEL_BINARY_DIR")
    if binary:
        os.mkdir(os.path.join(scratch, "build"))
        os.symlink(binary, os.path.join(scratch, "build", "release"))


def run_block(block, folder, seconds):
    """The complaint about a shell block, or None."""
    try:
        done = subprocess.run(["bash", "-euo", "pipefail", "-c", block.text], cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, errors="replace", timeout=max(seconds, 1))
    except subprocess.TimeoutExpired as error:
        shown = error.stdout if isinstance(error.stdout, str) else (error.stdout or b"").decode(errors="replace")
        return f"took more than the {SECONDS_PER_PAGE} s a page may take; shorten it or mark it '<!-- not run: reason -->'.\n{shown[-2000:]}"
    return None if done.returncode == 0 else f"ended with code {done.returncode}:\n{done.stdout[-4000:]}"


def check_page(root, page):
    """(complaints, blocks run, blocks left out, blocks that need the missing program)"""
    with open(os.path.join(root, page), encoding="utf-8") as file:
        blocks = markdown.blocks(file.read())
    complaints, run, left_out, impossible = [], 0, 0, 0
    program = os.environ.get("UNCHANNEL_PROGRAM", "")
    deadline = time.monotonic() + SECONDS_PER_PAGE
    with tempfile.TemporaryDirectory() as scratch:
        mirror(root, scratch)
        for block in blocks:
            place = f"{page}:{block.line}"
            if block.language == "toml":
                try:
                    tomllib.loads(block.text)
                except tomllib.TOMLDecodeError as error:
                    complaints.append(f"{place}: is not valid TOML: {error}")
            if block.language not in markdown.SHELL:
                continue
            if block.not_run:
                left_out += 1
                print(f"{place}: not run: {block.not_run}")
            elif NEEDS_PROGRAM.search(block.text) and not os.path.exists(program):
                impossible += 1
            else:
                run += 1
                complaint = run_block(block, scratch, deadline - time.monotonic())
                if complaint:
                    complaints.append(f"{place}: {complaint}")
    return complaints, run, left_out, impossible


def main():
    if len(sys.argv) != 3:
        print(__doc__, file=sys.stderr)
        return 2
    complaints, run, left_out, impossible = check_page(*sys.argv[1:])
    print("\n".join(complaints + [f"{run} blocks run, {left_out} marked as not run, {len(complaints)} failed."]))
    if complaints:
        return 1
    if impossible:
        print(f"skipped '{impossible} blocks need build/release/bin/unchannel, and this build has none'")
        return 77
    return 0


if __name__ == "__main__":
    sys.exit(main())
