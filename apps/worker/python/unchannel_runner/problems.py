"""Errors in words: what went wrong, in which line of whose file."""
import os
import traceback

_FRAMES_SHOWN = 3


class Refused(Exception):
    """What the file's author or user has to change; the text says what. The same question would fail again."""


class ProtocolError(Exception):
    """The other side sends something that is no message."""


def one_line(text, limit=1000):
    """No control characters: the text ends on a terminal."""
    text = "".join(c if c.isprintable() else " " for c in str(text)).strip()
    return text if len(text) <= limit else text[:limit] + "…"


def where(error, folder):
    """The last lines of the traceback inside `folder`, innermost first; the innermost of all when there are none."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if os.path.abspath(frame.filename).startswith(os.path.join(folder, ""))]
    shown = list(reversed(own))[:_FRAMES_SHOWN] or frames[-1:]
    return ", called from ".join(f"{os.path.basename(f.filename)}:{f.lineno} in {f.name}: {f.line or '?'}" for f in shown)


def describe(error, file):
    """'ZeroDivisionError: division by zero (gain.py:12 in simulate: return x / 0)'."""
    folder = os.path.dirname(os.path.abspath(file))
    if isinstance(error, SyntaxError) and error.filename:
        quoted = f": {error.text.strip()}" if error.text else ""
        return one_line(f"{type(error).__name__}: {error.msg} ({os.path.basename(error.filename)}:{error.lineno}{quoted})")
    if isinstance(error, SystemExit):
        return one_line(f"calls sys.exit, which would end the worker process ({where(error, folder)}). Raise an exception instead.")
    return one_line(f"{type(error).__name__}: {error} ({where(error, folder)})")
