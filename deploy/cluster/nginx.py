"""nginx in front of the nodes, with the configuration shipped in deploy/nginx: only ports and paths are put in."""

import os
import pathlib
import re
import resource
import shutil
import signal
import socket

from files import write_private
from processes import Service, Trouble

#: Debian's is a module of its own; others have it built in.
STREAM_MODULE = pathlib.Path("/usr/lib/nginx/modules/ngx_stream_module.so")
SHIPPED = pathlib.Path(__file__).resolve().parent.parent / "nginx"


class Front(Service):
    # It serves what it has begun; then it is told to end at once.
    ways_to_stop = [(signal.SIGQUIT, 2), (signal.SIGTERM, 3)]

    def __init__(self, keeper, folder, ports, clusterchat=None):
        """`clusterchat`: the port of each numbering, where it is spoken."""
        super().__init__("nginx", keeper, folder.log("nginx"))
        self.clusterchat = clusterchat or {}
        self.port = ports["https"]
        self.plain_port = ports["http"]
        self.program = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin")
        if not self.program:
            raise Trouble("nginx is missing: install the package nginx")
        # nginx's workers run as another user where it was started by root, and pass through here to their own folders.
        self.data = folder.make("nginx", mode=0o711)
        self.file = self.data / "nginx.conf"
        self.certificate = self.data / "martlet" / "certificate.pem"

    @property
    def url(self):
        return f"https://127.0.0.1:{self.port}"

    def command(self):
        return [self.program, "-e", "stderr", "-c", str(self.file)]

    def configure(self, nodes):
        for name in ["martlet", "bodies", "proxied"]:
            (self.data / name).mkdir(exist_ok=True)
        self._make_certificate()
        site = site_of(
            (SHIPPED / "martlet.conf").read_text(), self.port, self.plain_port, self.log.with_name("access.log")
        )
        write_private(self.data / "martlet.conf", site)
        write_private(self.data / "martlet" / "nodes.conf", nodes_of([one.port for one in nodes]))
        for name, port in self.clusterchat.items():
            part = clusterchat_of((SHIPPED / "martlet-clusterchat.conf").read_text(), name, port)
            write_private(self.data / f"clusterchat-{name}.conf", part)
            ports = [one.clusterchat[name] for one in nodes]
            write_private(self.data / "martlet" / f"clusterchat-{name}-nodes.conf", nodes_of(ports))
        connections = min(32_768, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
        write_private(self.file, main_of(self.data, connections, list(self.clusterchat)))
        self.keeper.run([self.program, "-t", "-q", "-e", "stderr", "-c", str(self.file)])

    def _make_certificate(self):
        """For this machine's names, made once; nobody vouches for it."""
        key = self.certificate.with_name("key.pem")
        if self.certificate.exists() and key.exists():
            return
        openssl = shutil.which("openssl")
        if not openssl:
            raise Trouble("openssl is missing: install the package openssl")
        self.keeper.run(
            [
                openssl,
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:prime256v1",
                "-nodes",
                "-days",
                "825",
                "-subj",
                "/CN=localhost",
                "-addext",
                "subjectAltName=DNS:localhost,IP:127.0.0.1",
                "-keyout",
                str(key),
                "-out",
                str(self.certificate),
            ]
        )
        key.chmod(0o600)

    @property
    def answers(self):
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return True
        except OSError:
            return False


def main_of(folder, connections, numberings=()):
    """nginx.conf: what the distribution's would do, in the cluster's folder, and what passes clusterchat on."""
    path = str(folder)
    module = f"load_module {STREAM_MODULE};\n" if numberings and STREAM_MODULE.exists() else ""
    parts = "".join(f"    include clusterchat-{name}.conf;\n" for name in numberings)
    stream = f"stream {{\n{parts}}}\n" if numberings else ""
    return f"""{module}daemon off;
pid "{path}/nginx.pid";
error_log stderr warn;
worker_processes 2;
worker_shutdown_timeout 2s;
events {{ worker_connections {connections}; }}
http {{
    include /etc/nginx/mime.types;
    client_body_temp_path "{path}/bodies";
    proxy_temp_path "{path}/proxied";
    fastcgi_temp_path "{path}/proxied";
    uwsgi_temp_path "{path}/proxied";
    scgi_temp_path "{path}/proxied";
    include martlet.conf;
}}
{stream}"""


def nodes_of(ports):
    """nodes.conf with the figures of the shipped one."""
    limits = re.search(r"^server \S+( .*;)$", (SHIPPED / "nodes.conf").read_text(), re.MULTILINE).group(1)
    return "".join(f"server 127.0.0.1:{port}{limits}\n" for port in ports)


def site_of(text, port, plain_port, log):
    """The shipped site on loopback and on these ports. Its lines must be what they were when this was written."""
    changes = [
        (r"listen 80 default_server;", f"listen 127.0.0.1:{plain_port} default_server;"),
        (r"listen 443 ssl http2 default_server;", f"listen 127.0.0.1:{port} ssl http2 default_server;"),
        (r"    listen \[::\]:80 default_server;\n", ""),
        (r"    listen \[::\]:443 ssl http2 default_server;\n", ""),
        (r"https://\$host\$request_uri", f"https://$host:{port}$request_uri"),
        (r"/var/log/nginx/access\.log", f'"{log}"'),
        # A browser that has once seen this would refuse every other server on this machine's name without TLS.
        (r"    add_header Strict-Transport-Security [^\n]*\n", ""),
    ]
    return changed(text, "martlet.conf", changes)


def clusterchat_of(text, name, port):
    """The shipped part of a stream, for one numbering."""
    changes = [
        (r"upstream martlet_clusterchat {", f"upstream martlet_clusterchat_{name} {{"),
        (r"zone martlet_clusterchat ", f"zone martlet_clusterchat_{name} "),
        (r"proxy_pass martlet_clusterchat;", f"proxy_pass martlet_clusterchat_{name};"),
        (r"include martlet/clusterchat-nodes\.conf;", f"include martlet/clusterchat-{name}-nodes.conf;"),
        (r"listen 127\.0\.0\.1:8000 ", f"listen 127.0.0.1:{port} "),
    ]
    return changed(text, "martlet-clusterchat.conf", changes)


def changed(text, name, changes):
    """A shipped file with each of these patterns replaced, which all stand in it once."""
    for pattern, replacement in changes:
        text, count = re.subn(pattern, lambda _: replacement, text)
        if count != 1:
            raise Trouble(f"deploy/nginx/{name} was changed: {pattern} stands in it {count} times")
    return text
