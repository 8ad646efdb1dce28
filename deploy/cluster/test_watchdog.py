"""Tests of watchdog.py: what counts as a descendant, and that none is left."""

import os
import subprocess
import time
import unittest

import watchdog
from watchdog import Process


class TreeTests(unittest.TestCase):
    snapshot = {
        1: Process(0, "S", 10),
        20: Process(1, "S", 20),
        21: Process(20, "S", 21),
        22: Process(21, "T", 22),
        30: Process(1, "S", 30),
    }

    def test_descendants_of_a_root_belong_to_it(self):
        self.assertEqual(sorted(watchdog.tree({20: 20}, self.snapshot)), [20, 21, 22])

    def test_an_id_that_was_given_to_another_process_is_none_of_ours(self):
        self.assertEqual(watchdog.tree({20: 19}, self.snapshot), [])

    def test_a_root_that_is_gone_has_no_tree(self):
        self.assertEqual(watchdog.tree({99: 1}, self.snapshot), [])


class KillTests(unittest.TestCase):
    def test_frozen_grandchildren_are_killed_too(self):
        shell = subprocess.Popen(
            ["sh", "-c", "sleep 600 & echo $!; kill -STOP $!; wait"], stdout=subprocess.PIPE, text=True
        )
        grandchild = int(shell.stdout.readline())
        deadline = time.monotonic() + 10
        while watchdog.process(grandchild).state != "T" and time.monotonic() < deadline:
            time.sleep(0.01)
        watchdog.kill({shell.pid: watchdog.process(shell.pid).started})
        shell.wait()
        shell.stdout.close()
        self.assertNotIn(grandchild, watchdog.processes())

    def test_one_process_is_described(self):
        me = watchdog.process(os.getpid())
        self.assertEqual(me.parent, os.getppid())
        self.assertIsNone(watchdog.process(2**22 + 1))


if __name__ == "__main__":
    unittest.main()
