"""Tests of files.py: who may read what, what is kept, and which ports are taken."""

import os
import pathlib
import socket
import stat
import tempfile
import unittest

import files
from files import Folder
from processes import Trouble


class FolderTests(unittest.TestCase):
    def setUp(self):
        place = tempfile.TemporaryDirectory()
        self.addCleanup(place.cleanup)
        self.path = pathlib.Path(place.name) / "cluster"

    def open(self):
        folder = Folder(self.path)
        self.addCleanup(os.close, folder.lock)
        return folder

    def test_secrets_are_random_kept_and_private(self):
        folder = self.open()
        first = folder.secrets(["a", "b"])
        self.assertEqual(len(first["a"]), 64)
        self.assertNotEqual(first["a"], first["b"])
        self.assertEqual(folder.secrets(["a", "b", "c"])["a"], first["a"])
        self.assertEqual(stat.S_IMODE((self.path / "secrets.json").stat().st_mode), 0o600)

    def test_a_second_cluster_on_the_same_folder_is_refused(self):
        self.open()
        with self.assertRaisesRegex(Trouble, "another cluster uses"):
            Folder(self.path)

    def test_ports_stay_the_same(self):
        folder = self.open()
        ports = folder.ports(["one", "two"])
        self.assertEqual(folder.ports(["two", "one"]), ports)

    def test_a_port_that_somebody_has_taken_meanwhile_is_replaced(self):
        folder = self.open()
        before = folder.ports(["one"])["one"]
        with socket.socket() as other:
            other.bind(("127.0.0.1", before))
            other.listen()
            self.assertNotEqual(folder.ports(["one"])["one"], before)

    def test_a_wanted_port_that_is_taken_is_refused(self):
        folder = self.open()
        with socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            other.listen()
            with self.assertRaisesRegex(Trouble, "is in use"):
                folder.ports(["https"], {"https": other.getsockname()[1]})

    def test_ports_are_below_those_of_outgoing_connections(self):
        self.assertLess(files.free_port(set()), 32_000)

    def test_the_log_of_the_run_before_is_kept(self):
        folder = self.open()
        folder.log("one").write_text("before")
        path = folder.log("one")
        self.assertFalse(path.exists())
        self.assertEqual(path.with_suffix(".log.1").read_text(), "before")


if __name__ == "__main__":
    unittest.main()
