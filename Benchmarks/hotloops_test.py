"""Tests of hotloops.py: what it reads from callgrind's files, and what it makes a failure of."""

import contextlib
import io
import json
import os
import stat
import tempfile
import unittest
from unittest import mock

import hotloops

# Two functions of ours, libc's allocator and the runtime, with all that the format shortens.
FILE = """\
# callgrind format
version: 1
positions: line
events: Ir
summary: 1184

ob=(1) /usr/bin/loops
fl=(1) loop.swift
fn=(1) loop
16 400
+2 80
cob=(2) libc.so.6
cfi=(2) malloc.c
cfn=(2) malloc
calls=20 50
* 240
cfn=(3) realloc@@GLIBC_2.2.5
calls=4 60
-2 120
cob=(3) libswiftCore.so
cfi=(3) ???
cfn=(4) swift_retain
calls=60 0
* 300
cfn=(5) swift_release'2
calls=40 0
* 4

ob=(2)
fl=(2)
fn=(2)
50 240

fn=(3)
60 80
cfn=(2)
calls=4 50
+1 40

ob=(3)
fl=(3)
fn=(4)
0 300
fn=(5)
0 84
"""

# Stands for martlet-hotloops and for valgrind: one loop, and the file above as its counts.
BINARY = """#!/bin/sh
printf 'one\\t2\\t10\\tthing done\\n'
"""
VALGRIND = """#!/bin/sh
for argument; do
    case $argument in --callgrind-out-file=*) out=${argument#*=} ;; esac
done
cp "$COUNTS" "$out.1"; cp "$COUNTS" "$out.2"; : >"$out"
"""


class ParserTests(unittest.TestCase):
    def setUp(self):
        self.profile = hotloops.parse(FILE.splitlines())

    def test_counts_what_functions_do_themselves_and_not_what_they_call(self):
        self.assertEqual(
            self.profile.instructions,
            {"loop": 480, "malloc": 240, "realloc": 80, "swift_retain": 300, "swift_release": 84})
        self.assertEqual(self.profile.total, 1184)

    def test_counts_an_allocation_within_the_allocator_once(self):
        self.assertEqual(self.profile.calls_of(hotloops.ALLOCATORS), 24)

    def test_counts_retains_and_releases_also_in_recursion(self):
        self.assertEqual(self.profile.calls_of(hotloops.RETAINS), 60)
        self.assertEqual(self.profile.calls_of(hotloops.RELEASES), 40)

    def test_refuses_a_file_whose_sum_is_another(self):
        with self.assertRaises(hotloops.Failure):
            hotloops.parse(FILE.replace("summary: 1184", "summary: 1185").splitlines())

    def test_refuses_a_number_without_a_name(self):
        with self.assertRaises(hotloops.Failure):
            hotloops.parse(FILE.replace("cfn=(2) malloc", "cfn=(2)").splitlines())

    def test_refuses_other_events(self):
        with self.assertRaises(hotloops.Failure):
            hotloops.parse(FILE.replace("events: Ir", "events: Ir Dr").splitlines())


class ComparisonTests(unittest.TestCase):
    threshold = {"instructions": 1000.0, "allocations": 2.0}

    def compare(self, instructions, allocations=2.0, **more):
        found = {"instructions": instructions, "allocations": allocations}
        wrong, notes = hotloops.compare(found, {**self.threshold, **more}, hotloops.DEFAULT_RULES)
        return len(wrong), len(notes)

    def test_lets_pass_what_is_within_the_tolerance(self):
        self.assertEqual(self.compare(1049), (0, 0))
        self.assertEqual(self.compare(1000, 2.04), (0, 0))
        self.assertEqual(self.compare(910), (0, 0))

    def test_fails_on_more_instructions(self):
        self.assertEqual(self.compare(1051), (1, 0))

    def test_fails_on_one_more_allocation_in_ten_operations(self):
        self.assertEqual(self.compare(1000, 2.1), (1, 0))

    def test_notes_what_got_much_better(self):
        self.assertEqual(self.compare(890), (0, 1))
        self.assertEqual(self.compare(1000, 1.0), (0, 1))

    def test_a_loop_may_have_a_tolerance_of_its_own(self):
        self.assertEqual(self.compare(1090, tolerance={"instructions": 0.1}), (0, 0))

    def test_fails_without_a_threshold(self):
        self.assertEqual(len(hotloops.compare({}, None, hotloops.DEFAULT_RULES)[0]), 1)


class RunTests(unittest.TestCase):
    """The whole program, with stand-ins for the executable and valgrind. The file gives 59.2 instructions an operation."""

    def setUp(self):
        self.folder = self.enterContext(tempfile.TemporaryDirectory())
        counts = self.write("counts", FILE)
        self.binary = self.write("martlet-hotloops", BINARY)
        self.write("valgrind", VALGRIND)
        self.write("objcopy", '#!/bin/sh\ncp "$2" "$3"\n')
        self.write("swift", "#!/bin/sh\necho 'Swift version 6.3.1 (swift-6.3.1-RELEASE)'\n")
        path = self.folder + os.pathsep + os.environ["PATH"]
        self.enterContext(mock.patch.dict(os.environ, PATH=path, COUNTS=counts))
        self.thresholds = os.path.join(self.folder, "thresholds.json")
        self.enterContext(mock.patch.object(hotloops, "THRESHOLDS", self.thresholds))

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(path, stat.S_IRWXU)
        return path

    def allow(self, instructions, **more):
        thresholds = {"loops": {"one": {"instructions": instructions, "allocations": 1.2}}, **more}
        self.write("thresholds.json", json.dumps(thresholds))

    def load(self):
        with open(self.thresholds, encoding="utf-8") as file:
            return json.load(file)

    def run_program(self, *arguments):
        out, errors = io.StringIO(), io.StringIO()
        with mock.patch("sys.argv", ["hotloops.py", "--binary", self.binary, *arguments]):
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors):
                status = hotloops.main()
        return status, out.getvalue(), errors.getvalue()

    def test_passes_within_the_threshold(self):
        self.allow(59.0)
        self.assertEqual(self.run_program()[0], 0)

    def test_fails_on_a_planted_regression(self):
        self.allow(50.0)
        status, _, errors = self.run_program()
        self.assertEqual(status, 1)
        self.assertIn("WORSE one: instructions 50 -> 59.2 (+18.4%, allowed +5%)", errors)

    def test_does_not_blame_another_compiler_on_the_sources(self):
        self.allow(50.0, measuredOn="x86_64, Swift 5.0")
        self.assertEqual(self.run_program()[0], 0)

    def test_fails_on_a_threshold_without_a_loop(self):
        self.allow(59.0)
        thresholds = self.load()
        thresholds["loops"]["two"] = thresholds["loops"]["one"]
        self.write("thresholds.json", json.dumps(thresholds))
        self.assertEqual(self.run_program()[0], 1)

    def test_updates_the_thresholds(self):
        self.allow(50.0)
        self.assertEqual(self.run_program("--update")[0], 0)
        self.assertEqual(
            self.load()["loops"]["one"],
            {"instructions": 59.2, "allocations": 1.2, "retains": 3.0, "releases": 2.0})
        self.assertEqual(self.run_program()[0], 0)

    def test_prints_json(self):
        self.allow(59.0)
        self.assertEqual(json.loads(self.run_program("--json")[1])["loops"]["one"]["instructions"], 59.2)


if __name__ == "__main__":
    unittest.main()
