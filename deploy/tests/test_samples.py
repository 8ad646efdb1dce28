"""What the samples for Docker and Kubernetes let in, whom they believe, and what they need to be there."""

import ipaddress
import pathlib
import re
import unittest

DEPLOY = pathlib.Path(__file__).resolve().parent.parent
PAGE = DEPLOY.parent / "docs/operations.md"


def text(path):
    return (DEPLOY / path).read_text()


class RegistrationTests(unittest.TestCase):
    """Samples face the world: who may come in is decided by the operator, not by what was left out."""

    def test_compose(self):
        self.assertIn("MARTLET_ACCOUNTS_REGISTRATION: ${REGISTRATION:-closed}", text("docker/compose.yaml"))
        self.assertIn("\nREGISTRATION=closed\n", text("docker/env.example"))

    def test_kubernetes(self):
        found = re.search(r"MARTLET_ACCOUNTS_REGISTRATION\n\s+value: (\w+)", text("kubernetes/deployment.yaml"))
        self.assertEqual(found and found.group(1), "closed")

    def test_the_files_of_the_page(self):
        samples = [one for one in re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL) if "public-url" in one]
        self.assertEqual(len(samples), 2)
        for sample in samples:
            self.assertIn("accounts:\n  registration: closed\n", sample)


class ComposeTests(unittest.TestCase):
    compose = text("docker/compose.yaml")

    def addresses(self):
        """Service → its fixed address."""
        services = re.findall(r"^  ([a-z0-9-]+):\n((?:    .*\n|\n)*)", self.compose, re.MULTILINE)
        found = {name: re.search(r"ipv4_address: ([0-9.]+)", content) for name, content in services}
        return {name: ipaddress.ip_address(address.group(1)) for name, address in found.items() if address}

    def test_nginx_alone_is_believed(self):
        trusted = re.search(r"MARTLET_API_TRUSTED_PROXIES: (\S+)", self.compose).group(1)
        self.assertEqual(trusted, str(self.addresses()["nginx"]))

    def test_nodes_keep_the_addresses_that_nginx_has_read(self):
        nodes = set(re.findall(r"^server ([a-z0-9-]+):", text("docker/nodes.conf"), re.MULTILINE))
        self.assertEqual(set(self.addresses()), nodes | {"nginx"})

    def test_nobody_else_gets_a_fixed_address(self):
        network = ipaddress.ip_network(re.search(r"subnet: ([0-9./]+)", self.compose).group(1))
        others = ipaddress.ip_network(re.search(r"ip_range: ([0-9./]+)", self.compose).group(1))
        self.assertTrue(others.subnet_of(network))
        addresses = list(self.addresses().values())
        self.assertEqual(len(set(addresses)), len(addresses))
        for address in addresses:
            self.assertTrue(address in network and address not in others, address)

    def test_nginx_may_open_the_files_that_its_connections_take(self):
        limits = [int(found) for found in re.findall(r"ulimits: {nofile: (\d+)}", self.compose)]
        files = int(re.search(r"worker_rlimit_nofile (\d+);", text("docker/nginx.conf")).group(1))
        connections = int(re.search(r"worker_connections (\d+);", text("docker/nginx.conf")).group(1))
        self.assertGreaterEqual(min(limits), files)
        self.assertGreater(files, connections)
        self.assertIn("./nginx.conf:/etc/nginx/nginx.conf:ro", self.compose)


class KubernetesTests(unittest.TestCase):
    deployment = text("kubernetes/deployment.yaml")

    def test_not_a_whole_range_of_private_addresses_is_believed(self):
        trusted = re.search(r"MARTLET_API_TRUSTED_PROXIES\n\s+value: (\S+)", self.deployment).group(1)
        self.assertGreaterEqual(ipaddress.ip_network(trusted).prefixlen, 16)

    def test_the_image_has_a_version(self):
        for image in re.findall(r"^\s*image: (\S+)", self.deployment, re.MULTILINE):
            self.assertRegex(image, r":\d+\.\d+\.\d+$")

    def test_no_request_is_repeated(self):
        service = text("kubernetes/service.yaml")
        self.assertIn('ingress.kubernetes.io/proxy-next-upstream: "off"\n', service)
        self.assertNotIn("proxy-next-upstream-tries", service)

    def test_the_authorities_that_the_urls_name_are_there(self):
        secret = text("kubernetes/secret.example.yaml")
        folder = re.search(r"name: authorities, mountPath: ([^,}]+)", self.deployment).group(1)
        config = re.search(r"configMap: {name: ([a-z-]+)}", self.deployment).group(1)
        made = re.search(r"create configmap (\S+) --from-file=(\S+)", secret)
        self.assertEqual(made.group(1), config)
        self.assertEqual(set(re.findall(r"(?:sslrootcert|cafile)=([^\s,&\"]+)", secret)), {f"{folder}/{made.group(2)}"})


class OlderClientsTests(unittest.TestCase):
    """What their protocols open is opened by the operator, line by line."""

    files = ["docker/compose.yaml", "kubernetes/deployment.yaml", "kubernetes/service.yaml", "docker/nginx.conf"]

    def test_they_are_off_until_somebody_takes_their_lines_in(self):
        for path in self.files:
            named = [line for line in text(path).splitlines() if re.search("clusterchat|gowebsocket", line, re.I)]
            self.assertTrue(named, path)
            self.assertEqual([line for line in named if not line.lstrip().startswith("#")], [], path)

    def test_the_nodes_of_clusterchat_are_the_nodes(self):
        for folder, sample in [("nginx", None), ("docker", "docker/compose.yaml")]:
            lists = [
                re.findall(r"^server (\S+):(\d+)( .*;)$", text(f"{folder}/{name}.conf"), re.MULTILINE)
                for name in ["nodes", "clusterchat-nodes"]
            ]
            self.assertEqual(*[[(host, limits) for host, _, limits in nodes] for nodes in lists])
            if sample:
                port = re.search(r'# MARTLET_CLUSTERCHAT_PORT: "(\d+)"', text(sample)).group(1)
                self.assertEqual({found for _, found, _ in lists[1]}, {port})

    def test_the_port_is_the_same_all_over_kubernetes(self):
        found = [
            re.search(pattern, text(f"kubernetes/{path}.yaml")).group(1)
            for path, pattern in [
                ("deployment", r'MARTLET_CLUSTERCHAT_PORT, value: "(\d+)"'),
                ("deployment", r"# - {name: clusterchat, containerPort: (\d+)}"),
                ("service", r"# - {name: clusterchat, port: (\d+), targetPort: clusterchat}"),
                ("service", r'"default/martlet:(\d+)::PROXY"'),
                ("networkpolicy", r"# - {protocol: TCP, port: (\d+)}"),
            ]
        ]
        self.assertEqual(len(set(found)), 1, found)


class AuthorityTests(unittest.TestCase):
    def test_who_verifies_a_server_says_by_what(self):
        # libpq 15 refuses every server otherwise.
        for path in [PAGE, DEPLOY / "kubernetes/secret.example.yaml"]:
            urls = re.findall(r"postgres://\S*sslmode=verify-full\S*", path.read_text())
            self.assertTrue(urls, path)
            for url in urls:
                self.assertIn("sslrootcert=", url)


if __name__ == "__main__":
    unittest.main()
