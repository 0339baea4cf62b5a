"""Training in several processes: the same losses as in one, and resumes on other numbers of ranks."""

import os
import shutil
import signal
import unittest

import images
import program
import ranks

STEPS = 50
# float32 sums of another order differ by some 1e-7 a step; fifty steps of Adam may not make more of it than this.
RELATIVE = 1e-5


class Losses(ranks.RanksTest):
    def expect_same_losses(self, run, reference, steps=STEPS):
        one, several = ranks.losses(self.work / reference), ranks.losses(self.work / run)
        self.assertEqual(list(several), list(range(1, steps + 1)))
        for step in several:
            self.assertLess(abs(several[step] / one[step] - 1), RELATIVE, f"step {step}")

    def test_two_and_four_ranks_have_the_losses_of_one(self):
        for count in (1, 2, 4):
            ranks.expect_ok(count, self.train(f"same_{count}"))
        for count in (2, 4):
            self.expect_same_losses(f"same_{count}", "same_1")

    def test_images_with_masks_dropout_and_uneven_shares_too(self):
        images.write_blobs(self.work / "blobs.h5")
        for count in (1, 3):
            ranks.expect_ok(count, ["train", program.ROOT / "configs/smoke/images_mask.toml", "--run", self.work / f"images_{count}", "--set",
                                    f'data.signals="{self.work / "blobs.h5"}"', "--set", "scsi.steps=12", "--set", "run.evaluate_every=1", "--set",
                                    'model.precision="float32"', "--set", "model.dropout=0.1", "--set", "verdict.replicas=0"])
        self.expect_same_losses("images_3", "images_1", steps=12)

    def test_a_checkpoint_of_two_ranks_continues_on_one_two_and_four(self):
        arguments = ["--set", "run.checkpoint_every=20"]
        ranks.expect_ok(1, self.train("straight", *arguments))
        process = ranks.start(2, self.train("half", *arguments))
        ranks.wait_for_lines(self.work / "half", 24, process)
        os.kill(ranks.process_of_rank(process, 1), signal.SIGKILL)
        process.communicate(timeout=60)
        for count in (1, 2, 4):
            shutil.copytree(self.work / "half", self.work / f"half_{count}")
            message = ranks.expect_ok(count, self.train(f"half_{count}", *arguments, "--resume"))
            self.assertIn("resuming at step 20", message)
            self.assertEqual("written by 2 ranks" in message, count != 2, message)
            self.expect_same_losses(f"half_{count}", "straight")


if __name__ == "__main__":
    unittest.main()
