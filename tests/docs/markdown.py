"""What the documentation tests need to know of Markdown: fenced blocks, their marks, links and headings."""
import re
from dataclasses import dataclass

FENCE = re.compile(r"^(\s*)(`{3,}|~{3,})\s*([\w+-]*)")
SOURCE = re.compile(r"^\s*<!--\s*from:\s*(\S+)\s*-->\s*$")
MARK = re.compile(r"^\s*<!--\s*not run:\s*(.*?)\s*-->\s*$")
LINK = re.compile(r"!?\[[^\]]*\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)")
HEADING = re.compile(r"^#{1,6}\s+(.*?)\s*#*\s*$")
SHELL = ("sh", "bash", "shell", "console")


@dataclass
class Block:
    language: str
    text: str
    line: int          # of the opening fence, counted from 1
    not_run: str = ""  # the reason when it is marked, "" when it is to be run
    source: str = ""   # the file that a listing is a part of, "" when none is named


def blocks(text):
    """Every fenced block. A mark `<!-- not run: reason -->` or `<!-- from: file -->` stands on the line before the fence."""
    found, lines, index = [], text.splitlines(), 0
    while index < len(lines):
        fence = FENCE.match(lines[index])
        if not fence:
            index += 1
            continue
        mark = MARK.match(lines[index - 1]) if index else None
        source = SOURCE.match(lines[index - 1]) if index else None
        block = Block(fence.group(3).lower(), "", index + 1, mark.group(1) if mark else "", source.group(1) if source else "")
        body, index = [], index + 1
        while index < len(lines) and not lines[index].strip().startswith(fence.group(2)):
            body.append(lines[index].removeprefix(fence.group(1)))
            index += 1
        block.text = "\n".join(body) + "\n"
        found.append(block)
        index += 1
    return found


def without_blocks(text):
    """The text with fenced blocks and code spans blanked, line numbers kept."""
    kept, fence = [], None
    for line in text.splitlines():
        match = FENCE.match(line)
        if fence is None and match:
            fence = match.group(2)
            kept.append("")
        elif fence is not None:
            if line.strip().startswith(fence):
                fence = None
            kept.append("")
        else:
            kept.append(re.sub(r"`[^`]*`", "", line))
    return kept


def links(text):
    """(line, target) of every inline link and image outside code."""
    return [(number, target) for number, line in enumerate(without_blocks(text), 1) for target in LINK.findall(line)]


def anchors(text):
    """The anchors of the headings, as the usual forges make them."""
    found, fence = set(), None
    for line in text.splitlines():
        match = FENCE.match(line)
        if match:
            fence = None if fence else match.group(2)
            continue
        heading = HEADING.match(line) if fence is None else None
        if heading:
            plain = re.sub(r"[`*_]|\[([^\]]*)\]\([^)]*\)", r"\1", heading.group(1))
            slug = re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")
            number, anchor = 0, slug
            while anchor in found:
                number += 1
                anchor = f"{slug}-{number}"
            found.add(anchor)
    return found
