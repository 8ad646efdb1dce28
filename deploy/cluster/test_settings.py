"""Tests of what is written for PostgreSQL, nginx and the nodes."""

import json
import re
import types
import unittest

import cluster
import nginx
import node
import postgres
from processes import Trouble


def server(name, is_made=True, is_standby=False, timeline=1):
    return types.SimpleNamespace(
        name=name, is_made=is_made, is_standby=is_standby, timeline=timeline, data="/data/" + name
    )


class PrimaryTests(unittest.TestCase):
    def names(self, *servers):
        return [one.name for one in postgres.choose_primary(list(servers))]

    def test_the_first_leads_where_nothing_is_made(self):
        self.assertEqual(self.names(server("a", is_made=False), server("b", is_made=False)), ["a", "b"])

    def test_who_led_before_leads(self):
        self.assertEqual(self.names(server("a", is_standby=True), server("b")), ["b", "a"])

    def test_the_promoted_one_leads_where_both_think_that_they_do(self):
        self.assertEqual(self.names(server("a", timeline=1), server("b", timeline=2)), ["b", "a"])

    def test_a_standby_alone_is_not_promoted_silently(self):
        with self.assertRaisesRegex(Trouble, "only the standby's data is there"):
            self.names(server("a", is_made=False), server("b", is_standby=True))


class QuotingTests(unittest.TestCase):
    def test_settings(self):
        self.assertEqual(postgres.setting_quote("/it's/a\\b"), "'/it''s/a\\\\b'")
        self.assertEqual(postgres.setting_quote(5432), "5432")

    def test_connection_strings(self):
        self.assertEqual(postgres.conninfo_quote("/it's"), "'/it\\'s'")


class SiteTests(unittest.TestCase):
    shipped = (nginx.SHIPPED / "martlet.conf").read_text()

    def test_listens_on_loopback_only(self):
        site = nginx.site_of(self.shipped, 4443, 4080, "/logs/access.log")
        listening = [line.strip() for line in site.splitlines() if line.strip().startswith("listen ")]
        self.assertEqual(
            listening, ["listen 127.0.0.1:4080 default_server;", "listen 127.0.0.1:4443 ssl http2 default_server;"]
        )

    def test_clusterchat_has_a_part_of_the_stream_for_each_numbering(self):
        shipped = (nginx.SHIPPED / "martlet-clusterchat.conf").read_text()
        parts = [nginx.clusterchat_of(shipped, name, port) for name, port in [("seed", 8001), ("course", 8002)]]
        for pattern in [r"^upstream (\S+) {", r"^    listen (\S+) ", r"^    include (\S+);"]:
            self.assertEqual(len({re.search(pattern, part, re.MULTILINE).group(1) for part in parts}), 2, pattern)
        self.assertIn("stream {\n    include clusterchat-seed.conf;\n}\n", nginx.main_of("/data", 100, ["seed"]))
        self.assertNotIn("stream", nginx.main_of("/data", 100))

    def test_a_shipped_file_that_has_changed_is_said(self):
        with self.assertRaisesRegex(Trouble, "was changed"):
            nginx.site_of(self.shipped.replace("listen 80", "listen 81"), 4443, 4080, "/logs/access.log")

    def test_nodes_have_the_shipped_limits(self):
        self.assertEqual(nginx.nodes_of([7001]), "server 127.0.0.1:7001 max_fails=2 fail_timeout=5s;\n")


class NodeTests(unittest.TestCase):
    secrets = {"tokenKey": "k" * 64, "metricsToken": "m" * 64}

    def settings(self, number, is_spoken=False, **more):
        ports = {"seed": 6000 + number, "course": 6100 + number} if is_spoken else {}
        one = types.SimpleNamespace(
            name=f"node-{number}", port=7000 + number, data=f"/data/node-{number}", clusterchat=ports
        )
        return node.settings(one, "postgres://…", ["redis://…"], "https://127.0.0.1:4443", self.secrets, **more)

    def test_nodes_share_their_keys_and_differ_in_place_and_name(self):
        first, second = self.settings(1), self.settings(2)
        self.assertEqual({key for key in first if first[key] != second[key]}, {"port", "data", "node"})

    def test_guests_come_in_only_where_it_is_for_trying(self):
        self.assertTrue(self.settings(1, is_demo=True)["accounts.guests"])
        self.assertNotIn("accounts.guests", self.settings(1))

    def test_older_clients_come_in_only_where_that_is_asked_for(self):
        keys = ["clusterchat.port", "gowebsocket.enabled", "gowebsocket.open"]
        self.assertEqual([key for key in keys if key in self.settings(1)], [])
        self.assertEqual([self.settings(1, is_spoken=True)[key] for key in keys], [[6001, 6101], True, False])
        self.assertTrue(self.settings(1, is_spoken=True, is_demo=True)["gowebsocket.open"])

    def test_nodes_hear_of_addresses_where_nginx_tells_them(self):
        for is_told in [False, True]:
            settings = self.settings(1, is_spoken=True, is_behind_stream=is_told)
            self.assertEqual(settings["clusterchat.proxy-protocol"], is_told)

    def test_what_the_command_line_sets_wins(self):
        self.assertEqual(self.settings(1, extra={"gateway.drain": 1})["gateway.drain"], 1)

    def test_the_file_is_yaml_of_json_values(self):
        self.assertEqual(node.yaml({"b": ["x"], "a": True}), 'a: true\nb: ["x"]\n')

    def test_settings_of_the_command_line_keep_their_type(self):
        self.assertEqual(node.extra_setting("gateway.drain=3"), ("gateway.drain", 3))
        self.assertEqual(node.extra_setting("no-rate-limits=true"), ("no-rate-limits", True))
        self.assertEqual(node.extra_setting("log.level=debug"), ("log.level", "debug"))
        with self.assertRaises(ValueError):
            node.extra_setting("gateway.drain")


class OptionTests(unittest.TestCase):
    def test_settings_are_collected(self):
        options = cluster.parse(["--set", "a=1", "--set", "b=x"])
        self.assertEqual(json.dumps(options.extra), '{"a": 1, "b": "x"}')


if __name__ == "__main__":
    unittest.main()
