"""evaluate and report: exact references by one set of rules, p-values by object, every line in coverage."""

import json
import shutil
import unittest

import program


@unittest.skipUnless(program.real_prior(), "the quasar prior is not downloaded: run script/setup")
class References(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.work = program.Workspace()
        cls.work.make_data(count=256, test_count=16)
        program.expect_ok(*cls.work.train_arguments(), "--set", "scsi.steps=4")
        program.expect_ok("restore", cls.work / "run", "--input", cls.work / "test_observed.h5", "--output", cls.work / "restored.h5")
        for code, _, err in (cls.evaluate(), cls.report()):
            if code != 0:
                raise AssertionError(err)
        cls.evaluated = json.loads((cls.work / "evaluation.json").read_text())["results"]
        cls.reported = json.loads((cls.work / "report.json").read_text())

    @classmethod
    def tearDownClass(cls):
        cls.work.close()

    @classmethod
    def evaluate(cls, truth=None, observed=None):
        work = cls.work
        return program.run("evaluate", "--truth", truth or work / "test_signals.h5", "--restored", work / "restored.h5", "--observed",
                           observed or work / "test_observed.h5", "--prior", program.real_prior(), "--json", work / "evaluation.json")

    @classmethod
    def report(cls, *more, truth=None):
        work = cls.work
        return program.run("report", work / "run", "--input", work / "test_observed.h5", "--truth", truth or work / "test_signals.h5", "--json",
                           work / "report.json", "--output", work / "report.html", *more)

    def changed(self, file, change):
        """A copy of a data file after change(h5py file)."""
        import h5py

        copy = self.work / f"changed_{file}"
        shutil.copy(self.work / file, copy)
        with h5py.File(copy, "r+") as data:
            change(data)
        return copy

    def with_provenance(self, **values):
        def change(data):
            data.attrs["provenance"] = json.dumps({**json.loads(data.attrs["provenance"]), **values})

        return self.changed("test_signals.h5", change)

    def test_exist_for_the_set_that_was_drawn_from_the_prior(self):
        self.assertLess(self.evaluated["exact_posterior_mean"]["rmse_data_units"], self.evaluated["observed"]["rmse_data_units"])

    def test_report_has_every_line_that_evaluate_has(self):
        rows = {row["method"]: row for row in self.reported["comparison"]["rows"]}
        self.assertEqual(self.evaluated["restored"]["lines"], rows["SCSI"]["lines"])

    def test_another_version_of_the_prior_is_refused(self):
        code, _, err = self.evaluate(truth=self.with_provenance(prior_sha256="0" * 64))
        self.assertEqual((code, "another version of the prior" in err), (2, True), err)

    def test_a_further_latent_is_refused_whatever_its_size(self):
        def add(data):
            data["latents/sky_mask"] = data["observations"][:] * 0

        code, _, err = self.evaluate(observed=self.changed("test_observed.h5", add))
        self.assertEqual((code, "sky_mask" in err), (2, True), err)

    def test_a_provenance_of_wrong_types_is_wrong_data_and_no_internal_error(self):
        for values in ({"redshift_min": "two"}, {"made_by": 7}, {"forest": [1]}, {"prior_sha256": {}}):
            with self.subTest(values):
                code, _, err = self.evaluate(truth=self.with_provenance(**values))
                self.assertEqual((code, next(iter(values)) in err, "Import the signals again" in err), (4, True, True), err)
        code, _, err = self.report("--prior", program.real_prior(), truth=self.with_provenance(made_by=7))
        self.assertEqual((code, "made_by = 7" in err), (4, True), err)

    def test_every_object_has_a_p_value_under_its_id(self):
        import h5py

        with h5py.File(self.work / "test_observed.h5") as data:
            ids = [int(number) for number in data["object_id"]]
        values = self.reported["p_values"]
        self.assertEqual([value["object_id"] for value in values], ids)
        self.assertTrue(all(0.01 <= value["p_value"] <= 1 for value in values))
        page = (self.work / "report.html").read_text()
        worst = min(values, key=lambda value: value["p_value"])
        self.assertIn(f">{worst['object_id']}<", page)
        self.assertIn("Ly alpha", page)


if __name__ == "__main__":
    unittest.main()
