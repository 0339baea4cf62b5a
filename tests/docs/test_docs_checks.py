"""Shows that the documentation checks find what they look for."""
import os
import tempfile
import unittest

import check_commands
import check_links
import check_listings
import check_citations
import markdown


class Markdown(unittest.TestCase):
    def test_blocks_know_language_line_and_mark(self):
        found = markdown.blocks("text\n```sh\na\nb\n```\n<!-- not run: takes an hour -->\n~~~bash\nc\n~~~\n```\nplain\n```\n")
        self.assertEqual([(b.language, b.text, b.line, b.not_run) for b in found],
                         [("sh", "a\nb\n", 2, ""), ("bash", "c\n", 7, "takes an hour"), ("", "plain\n", 10, "")])

    def test_an_indented_block_loses_its_indentation(self):
        self.assertEqual(markdown.blocks("- item\n\n  ```sh\n  a\n    b\n  ```\n")[0].text, "a\n  b\n")

    def test_links_inside_code_are_none(self):
        self.assertEqual(markdown.links("[a](b.md) `[c](d.md)`\n```\n[e](f.md)\n```\n![g](h.svg \"title\")\n"), [(1, "b.md"), (5, "h.svg")])

    def test_anchors_follow_the_headings(self):
        self.assertEqual(markdown.anchors("# The `one`, two\n## Same\n## Same\n```\n# comment\n```\n"), {"the-one-two", "same", "same-1"})


class Checks(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        for name in ("UNCHANNEL_BINARY_DIR", "UNCHANNEL_PROGRAM"):
            value = os.environ.pop(name, None)
            if value is not None:
                self.addCleanup(os.environ.__setitem__, name, value)

    def write(self, name, text):
        with open(os.path.join(self.folder.name, name), "w", encoding="utf-8") as out:
            out.write(text)

    def check(self, text):
        self.write("page.md", text)
        return check_commands.check_page(self.folder.name, "page.md")

    def test_a_failing_command_is_found_with_its_line(self):
        complaints, run, _, _ = self.check("\n```sh\ntrue\n```\n```sh\necho words; false\n```\n")
        self.assertEqual(run, 2)
        self.assertEqual(complaints, ["page.md:5: ended with code 1:\nwords\n"])

    def test_the_first_failing_command_of_a_block_counts(self):
        self.assertEqual(len(self.check("```sh\nfalse\ntrue\n```\n")[0]), 1)
        self.assertEqual(len(self.check("```sh\nfalse | true\n```\n")[0]), 1)

    def test_a_marked_block_is_not_run(self):
        self.assertEqual(self.check("<!-- not run: because -->\n```sh\nfalse\n```\n"), ([], 0, 1, 0))

    def test_a_mark_without_a_reason_does_not_count(self):
        self.assertEqual(len(self.check("<!-- not run: -->\n```sh\nfalse\n```\n")[0]), 1)

    def test_blocks_share_a_scratch_folder_and_leave_the_checkout_alone(self):
        self.write("given.txt", "")
        complaints, run, _, _ = self.check("```sh\ntest -f given.txt\necho 1 > made.txt\n```\n```sh\ntest -f made.txt\n```\n")
        self.assertEqual((complaints, run), ([], 2))
        self.assertEqual(sorted(os.listdir(self.folder.name)), ["given.txt", "page.md"])

    def test_invalid_toml_is_found(self):
        self.assertEqual(len(self.check("```toml\na = \n```\n")[0]), 1)
        self.assertEqual(self.check("```toml\na = 1\n```\n")[0], [])

    def test_a_listing_must_be_a_part_of_a_tested_file(self):
        os.makedirs(os.path.join(self.folder.name, "plugin-api", "template", "c"))
        self.write("plugin-api/template/c/NAME.c", "int a;\n  int @NAME@;\nint b;\n")
        self.write("README.md", "int c;\n")
        mark = "<!-- from: plugin-api/template/c/NAME.c -->\n"
        for text, complaint in [(mark + "```c\n  int my_instrument;\nint b;\n```\n", None),
                                ("```c\nint a;\n```\n", "page.md:1: has no"),
                                (mark + "```c\nint b;\nint a;\n```\n", "page.md:2: is no part of"),
                                (mark + "```c\nint @NAME@;\n```\n", "page.md:2: is no part of"),
                                (mark + "```c\nint my_instrument;\n```\n", "page.md:2: is no part of"),
                                (mark + "```c\n\n```\n", "page.md:2: is empty"),
                                ("<!-- from: absent.c -->\n```c\nint a;\n```\n", "page.md:2: absent.c is not"),
                                ("<!-- from: README.md -->\n```c\nint c;\n```\n", "page.md:2: README.md is not"),
                                ("```text\nanything\n```\n", None)]:
            self.write("page.md", text)
            complaints, _ = check_listings.check_page(self.folder.name, "page.md")
            self.assertEqual([found[:len(complaint)] for found in complaints] if complaint else complaints, [complaint] if complaint else [])

    def test_broken_links_and_anchors_are_found(self):
        self.write("other.md", "# Head\n")
        self.write("page.md", "[a](absent.md)\n[b](other.md#head) [c](other.md#foot)\n[d](#here)\n[e](https://example.org/x)\n")
        complaints, count = check_links.broken_links(self.folder.name)
        self.assertEqual(count, 4)
        self.assertEqual([text.split(":")[1] for text in complaints], ["1", "2", "3"])

    def test_citations_and_entries_must_meet(self):
        os.makedirs(os.path.join(self.folder.name, "docs", "theory"))
        self.write("docs/references.bib", "@misc{Known,\n  title = {A}\n}\n@misc{Lonely,\n  title = {B}\n}\n")
        self.write("docs/theory/page.md", "By [Known, eq. 3] and [Missing2020], not `[Code]` and not [Link](page.md).\n")
        complaints, count = check_citations.problems(self.folder.name)
        self.assertEqual(count, 2)
        self.assertEqual(complaints, ["docs/theory/page.md: [Missing2020] is no entry of docs/references.bib.",
                                      "docs/references.bib: Lonely is cited by no page of docs/theory."])


if __name__ == "__main__":
    unittest.main()
