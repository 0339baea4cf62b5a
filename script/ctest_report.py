"""Passes ctest's output on and, before its closing summary, adds what the summary hides.

usage: ctest ... --output-junit FILE | ctest_report.py FILE --minimum N [--slowest 10] [--limit-s 60]

Added: the slowest tests, every skipped test with its reason, and a complaint when fewer than the minimum were executed or one took
longer than the limit. Exit 1 after a complaint. ctest's own summary ("100% tests passed, 0 tests failed out of N") stays the end.
"""
import argparse
import re
import sys
import xml.etree.ElementTree as xml

SUMMARY = re.compile(r"^\d+% tests passed, \d+ tests? failed out of \d+")
# GoogleTest prints the text streamed into GTEST_SKIP() before its [  SKIPPED ] line; Python tests print skipped 'reason'.
GOOGLETEST_REASON = re.compile(r"Skipped\n(.*?)\n+\[  SKIPPED \]", re.DOTALL)
PYTHON_REASON = re.compile(r"skipped ['\"](.*)['\"]")


class Result:
    def __init__(self, case):
        self.name = case.get("name")
        self.seconds = float(case.get("time") or 0)
        self.status = case.get("status")
        self.output = case.findtext("system-out") or ""
        self.skipped = case.find("skipped") is not None or self.status in ("notrun", "disabled")

    def skip_reasons(self):
        """Reasons of what was not tested: the whole test's, or those of single cases of a Python module."""
        reasons = [" ".join(text.split()) for text in GOOGLETEST_REASON.findall(self.output)] + PYTHON_REASON.findall(self.output)
        return reasons or (["no reason given" if self.status != "disabled" else "disabled"] if self.skipped else [])


def read_results(junit):
    return [Result(case) for case in xml.parse(junit).getroot().iter("testcase")]


def report(results, minimum, slowest, limit_s):
    """(lines to print, complaints)"""
    lines = ["", f"Slowest {min(slowest, len(results))} tests:"]
    for result in sorted(results, key=lambda item: -item.seconds)[:slowest]:
        lines.append(f"  {result.seconds:7.2f} s  {result.name}")
    skips = [(result.name, reason) for result in results for reason in result.skip_reasons()]
    lines.append(f"Skipped: {len(skips)}")
    lines += [f"  {name}: {reason}" for name, reason in skips]
    executed = sum(not result.skipped for result in results)
    lines.append(f"Executed: {executed} tests (at least {minimum} are required)")
    complaints = []
    if executed < minimum:
        complaints.append(f"only {executed} tests were executed; at least {minimum} must be. A part of the build or of the data is missing.")
    complaints += [f"{result.name} took {result.seconds:.0f} s; no test may take more than {limit_s:.0f} s."
                   for result in results if result.seconds > limit_s]
    return lines, complaints


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("junit")
    parser.add_argument("--minimum", type=int, required=True)
    parser.add_argument("--slowest", type=int, default=10)
    parser.add_argument("--limit-s", type=float, default=60)
    options = parser.parse_args()

    held = []
    for line in sys.stdin:
        if held or SUMMARY.match(line):
            held.append(line)
        else:
            sys.stdout.write(line)
            sys.stdout.flush()
    try:
        lines, complaints = report(read_results(options.junit), options.minimum, options.slowest, options.limit_s)
    except (OSError, xml.ParseError) as error:
        lines, complaints = [], [f"{options.junit}: ctest's results cannot be read: {error}."]
    print("\n".join(lines))
    for complaint in complaints:
        print(f"FAILED: {complaint}")
    print()
    sys.stdout.writelines(held)
    return 1 if complaints or not held else 0


if __name__ == "__main__":
    sys.exit(main())
