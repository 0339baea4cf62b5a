"""Crashes, hangs, exits, kills and memory blow-ups of a plugin's worker during a training leave its weights bit-identical.

UNCHANNEL_WORKER_ACCIDENTS says how many there are, a multiple of five; 20 without it.
"""

import os
import pathlib
import struct
import unittest

import dropped
import program

KINDS = ("crash", "hang", "exit", "kill", "memory")  # as in faults.h
# More than a call that is repeated has, so that it goes well the second time; and what a step of the configuration takes from the channel:
# 64 rows every 4 steps.
SAMPLES_BETWEEN, SAMPLES_A_STEP = 640, 16


def add_faults(folder):
    """Puts faults.h in front of the simulate of a new C project."""
    source, = folder.glob("*.c")
    text = source.read_text()
    head = "static int32_t simulate(const unchannel_simple_sample* s) {\n"
    if text.count(head) != 1:
        raise AssertionError(f"{source} has no '{head.strip()}' any more")
    header = pathlib.Path(__file__).with_name("faults.h")
    source.write_text(f'#define _GNU_SOURCE\n#include "{header}"\n' + text.replace(head, head + "  test_fault();\n"))


class WorkerAccidents(dropped.DroppedPluginTest):
    def test_accidents_of_mixed_kinds_leave_the_weights_bit_identical(self):
        accidents = int(os.environ.get("UNCHANNEL_WORKER_ACCIDENTS", "20"))
        self.assertEqual(accidents % len(KINDS), 0, "every kind happens equally often")
        plugins = self.project("lens", "c", add_faults)
        limits = "deadline_s = 2\nmemory_limit_gib = 0.25"
        config = self.observe("lens", plugins, steps=SAMPLES_BETWEEN // SAMPLES_A_STEP * accidents + 200, channel=limits)
        schedule = self.work / "schedule"
        schedule.write_bytes(struct.pack("<3Q5Q", SAMPLES_BETWEEN, accidents, 0, *[0] * len(KINDS)))
        arguments = ["train", config, "--plugin-dir", plugins, "--run"]
        program.expect_ok(*arguments, self.work / "straight", timeout=None)
        program.expect_ok(*arguments, self.work / "hurt", timeout=None, env={**self.environment, "UNCHANNEL_TEST_FAULTS": str(schedule)})
        happened = dict(zip(KINDS, struct.unpack("<3Q5Q", schedule.read_bytes())[3:]))
        self.assertEqual(happened, {kind: accidents // len(KINDS) for kind in KINDS}, "the run must be long enough for all of them")
        self.assertEqual(program.weights(self.work / "hurt"), program.weights(self.work / "straight"))


if __name__ == "__main__":
    unittest.main()
