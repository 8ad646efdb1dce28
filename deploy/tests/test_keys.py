"""Every setting, flag and variable that deploy/ and docs/operations.md name is one that the program has."""

import pathlib
import re
import sys
import unittest

TREE = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(TREE / "deploy" / "cluster"))

import node  # noqa: E402

#: Named by the environment alone: where the file of settings is.
FILE_VARIABLE = "MARTLET_CONFIG"
READS = r"\b(?:text|optionalText|integer|flag|choice|seconds|number|list|rate)\(\s*\"([a-z][a-z0-9.-]*)\""


def program_keys():
    keys = set()
    for path in (TREE / "Sources/App/MartletServer").rglob("*Configuration*.swift"):
        keys.update(re.findall(READS, path.read_text()))
    return keys


def program_flags():
    """Flags of all commands: `var noRateLimits` below `@Flag` or `@Option` is `--no-rate-limits`."""
    flags = {"help", "version"}
    for path in (TREE / "Sources/App/martlet").glob("*.swift"):
        for name in re.findall(r"@(?:Flag|Option)\b[^{}]*?\bvar (\w+)", path.read_text()):
            flags.add(re.sub(r"([A-Z])", lambda match: "-" + match.group(1).lower(), name))
    return flags


def variable(key):
    return "MARTLET_" + re.sub(r"[^A-Z0-9]", "_", key.upper())


def files():
    for path in sorted((TREE / "deploy").rglob("*")):
        if path.is_file() and path.suffix != ".pyc" and "tests" not in path.parts:
            yield path


class KeyTests(unittest.TestCase):
    keys = program_keys()

    def test_the_program_has_keys(self):
        self.assertGreater(len(self.keys), 30)

    def test_variables_exist(self):
        known = {variable(key) for key in self.keys} | {FILE_VARIABLE}
        for path in files():
            named = set(re.findall(r"\bMARTLET_[A-Z][A-Z_]*[A-Z]\b", path.read_text()))
            self.assertEqual(named - known, set(), path)

    def test_keys_exist(self):
        sections = {key.split(".")[0] for key in self.keys if "." in key}
        pattern = r"(?<![\w.:/-])((?:" + "|".join(sections) + r")\.[a-z]+(?:-[a-z]+)*)(?![\w.(:/-]|\.[a-z])"
        for path in files():
            if path.suffix in {".conf", ".yaml", ".service", ".md"}:
                named = {name for name in re.findall(pattern, path.read_text()) if not name.endswith(".json")}
                self.assertEqual(named - self.keys, set(), path)

    def test_the_keys_of_the_cluster_on_one_machine_exist(self):
        class One:
            name, port, data, clusterchat = "node-1", 1, "/data", {"seed": 2}

        settings = node.settings(One, "", [], "", {"tokenKey": "", "metricsToken": ""}, is_demo=True)
        self.assertEqual(set(settings) - self.keys, set())

    def test_flags_exist(self):
        known = program_flags()
        for path in files():
            for line in path.read_text().splitlines():
                call = re.search(
                    r"\bmartlet (?:serve|user|token|api-key|migrate|verify|backup|restore|check-config|bench)\b(.*)", line
                )
                named = set(re.findall(r"(?<![\w-])--([a-z][a-z-]*)", call.group(1))) if call else set()
                self.assertEqual(named - known, set(), f"{path}: {line}")


class PageTests(unittest.TestCase):
    page = (TREE / "docs/operations.md").read_text()

    def test_the_table_of_settings_is_complete(self):
        table = self.page.split("| key | type | default | meaning |", 1)[1].split("\n\n", 1)[0]
        listed = set()
        for line in table.splitlines():
            listed.update(re.findall(r"`([^`]+)`", line.split("|")[1]) if line.startswith("| `") else [])
        self.assertEqual(listed, program_keys())

    def test_the_metrics_it_names_exist(self):
        known = set()
        for path in (TREE / "Sources").rglob("*.swift"):
            known.update(re.findall(r'"(martlet_[a-z_]+)"', path.read_text()))
        named = set(re.findall(r"`(martlet_[a-z_]+)`", self.page))
        self.assertEqual(named - known, set())
        self.assertEqual(known - named, set())


if __name__ == "__main__":
    unittest.main()
