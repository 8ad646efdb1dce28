"""Tests of capacity.py: that its sums are right, and that docs/scaling.md holds its tables."""

import unittest

import capacity

CONSTANTS = {name: value for name, (value, _, _) in capacity.CONSTANTS.items()}


def model(users):
    return capacity.model(users, CONSTANTS)


class ModelTests(unittest.TestCase):
    def test_messages_follow_from_users(self):
        out = capacity.model(86_400, {**CONSTANTS, "messages_per_user": 10, "peak": 3})
        self.assertAlmostEqual(out["messages"], 30)

    def test_a_direct_message_is_published_for_both_users(self):
        out = capacity.model(86_400, {**CONSTANTS, "messages_per_user": 1, "peak": 1, "group_share": 0})
        self.assertAlmostEqual(out["publications"], 2)

    def test_comparing_takes_longer_where_it_would_take_too_much(self):
        few, many = (model(users) for users in (10_000, 10**8))
        self.assertEqual(few["compare_time"], CONSTANTS["compare"])
        self.assertGreater(many["compare_time"], CONSTANTS["compare"])
        self.assertAlmostEqual(many["compare_cpu"], many["nodes"] * CONSTANTS["compare_share"])

    def test_there_is_always_a_node_to_spare(self):
        self.assertEqual(capacity.model(1, CONSTANTS)["nodes"], 2)

    def test_twice_the_users_need_twice_the_databases(self):
        one, two = (capacity.model(users, CONSTANTS)["databases"] for users in (10**9, 2 * 10**9))
        self.assertAlmostEqual(two / one, 2, delta=0.05)

    def test_sessions_meet_on_few_nodes(self):
        self.assertAlmostEqual(capacity.nodes_reached(1, 8), 1)
        self.assertAlmostEqual(capacity.nodes_reached(1_000_000, 8), 8, delta=0.01)

    def test_numbers_claim_two_digits(self):
        self.assertEqual(
            [capacity.number(value) for value in (0.123, 7.2, 55.6, 5_556, 555_555)],
            ["0.12", "7.2", "56", "5,600", "560,000"],
        )
        self.assertEqual(capacity.size(12.5e12), "12 TB")


class PageTests(unittest.TestCase):
    def test_the_page_holds_these_tables(self):
        page = capacity.PAGE.read_text()
        self.assertEqual(
            capacity.put(page, capacity.tables(capacity.SIZES, CONSTANTS)), page, "run Benchmarks/capacity.py --write"
        )

    def test_what_is_measured_says_where(self):
        for name, (_, _, origin) in capacity.CONSTANTS.items():
            self.assertTrue(
                origin == "assumed"
                or ".py" in origin
                or "decisions/" in origin
                or "performance.md" in origin
                or "scaling.md" in origin
                or "as shipped" in origin,
                name,
            )


if __name__ == "__main__":
    unittest.main()
