#!/usr/bin/env python3
"""mynah beside its peers, in one run: requests per second, and CPU time per request.

    python3 benches/peers/run.py mock  [--rounds 5] [--seconds 4]
    python3 benches/peers/run.py proxy [--rounds 5] [--seconds 4]

`mock` asks for GET /stock/historical of specs/stock-0.1.json: mynah (`run` with cors and mocking on the route, and
`mock`), Prism, Mockoon, and nginx that returns the same body. `proxy` sends a request to an nginx upstream by way of
mynah, and by way of nginx that sets the same headers.

Each server has one core (CPU 0), the load (wrk, 50 connections) and the upstream another (CPU 1). The servers take
turns, so that a noisy machine is noisy for all; what is printed are medians over the rounds. CPU time is that of the
server's processes, from /proc/PID/schedstat, divided by the requests answered: on a machine that does other things it
moves far less than requests per second do. Only ratios within one run mean anything.

Needs wrk and nginx (Debian packages of these names) and, for `mock`, the npm packages @stoplight/prism-cli and
@mockoon/cli; a peer that is not installed is left out and said to be. `target/release/mynah` must have been built.
"""

import argparse
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MYNAH = os.path.join(ROOT, "target", "release", "mynah")
SPEC = os.path.join(ROOT, "specs", "stock-0.1.json")
MOCK_PATH = "/stock/historical?tickers=AAPL"

MOCK_CONFIG = """
_format_version: "3.0"
services:
- name: stock
  url: http://127.0.0.1:1
  routes:
  - name: stock
    paths: [/stock]
    strip_path: false
    plugins:
    - name: cors
      config: {origins: ["*"]}
    - name: mocking
      config: {api_specification_filename: stock-0.1.json}
"""

PROXY_CONFIG = """
_format_version: "3.0"
services:
- name: upstream
  url: http://127.0.0.1:%(upstream)d
  routes:
  - name: all
    paths: [/]
"""

NGINX = """
worker_processes 1;
pid %(folder)s/%(name)s.pid;
error_log %(folder)s/%(name)s.log crit;
events { worker_connections 1024; }
http {
  access_log off;
  keepalive_requests 100000000;
  client_body_temp_path %(folder)s/body; proxy_temp_path %(folder)s/proxy; fastcgi_temp_path %(folder)s/fastcgi;
  uwsgi_temp_path %(folder)s/uwsgi; scgi_temp_path %(folder)s/scgi;
  %(http)s
  server { listen 127.0.0.1:%(port)d; %(server)s }
}
"""

# What Kong adds to a request and to a response, as nginx can say it.
KONG_HEADERS = """
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header X-Real-IP $remote_addr;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_set_header X-Forwarded-Host $host;
      proxy_set_header X-Forwarded-Port $server_port;
      proxy_set_header X-Forwarded-Path $request_uri;
      proxy_set_header X-Forwarded-Prefix /;
      proxy_set_header X-Kong-Request-Id $request_id;
      proxy_set_header Via "1.1 nginx";
      add_header Via "1.1 nginx";
      add_header X-Kong-Upstream-Latency $upstream_header_time;
      add_header X-Kong-Proxy-Latency $request_time;
      add_header X-Kong-Request-Id $request_id;
"""


class Server:
    def __init__(self, name, command, port, path, environment=None, cwd=None):
        self.name, self.command, self.port, self.path = name, command, port, path
        self.environment, self.cwd = environment or {}, cwd
        self.rates, self.costs = [], []

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}{self.path}"

    def start(self, log):
        command = ["taskset", "-c", "0", *self.command]
        self.process = subprocess.Popen(
            command, cwd=self.cwd, env={**os.environ, **self.environment},
            stdout=log, stderr=log, start_new_session=True)
        for _ in range(300):
            try:
                with urllib.request.urlopen(self.url, timeout=2) as answer:
                    self.bytes = len(answer.read())
                    return
            except OSError:
                if self.process.poll() is not None:
                    sys.exit(f"{self.name} ended at start: {' '.join(command)}")
                time.sleep(0.1)
        sys.exit(f"{self.name} does not answer {self.url}")

    def stop(self):
        try:
            os.killpg(self.process.pid, signal.SIGTERM)
            self.process.wait(5)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            os.killpg(self.process.pid, signal.SIGKILL)

    def nanoseconds(self):
        """CPU time of the process, its children and all their threads."""
        total = 0
        for pid in family(self.process.pid):
            try:
                for thread in os.listdir(f"/proc/{pid}/task"):
                    with open(f"/proc/{pid}/task/{thread}/schedstat") as file:
                        total += int(file.read().split()[0])
            except OSError:
                continue
        return total

    def measure(self, seconds):
        before = self.nanoseconds()
        out = subprocess.run(
            ["taskset", "-c", "1", "wrk", "-t1", "-c50", f"-d{seconds}s", self.url],
            capture_output=True, text=True, check=True).stdout
        spent = self.nanoseconds() - before
        requests = int(re.search(r"(\d+) requests in", out)[1])
        wrong = re.search(r"Non-2xx or 3xx responses: (\d+)", out)
        if wrong:
            sys.exit(f"{self.name}: {wrong[1]} of {requests} answers are no success")
        self.rates.append(float(re.search(r"Requests/sec:\s+([\d.]+)", out)[1]))
        self.costs.append(spent / 1000 / requests)


def family(pid):
    found, waiting = [], [pid]
    while waiting:
        pid = waiting.pop()
        found.append(pid)
        try:
            for thread in os.listdir(f"/proc/{pid}/task"):
                with open(f"/proc/{pid}/task/{thread}/children") as file:
                    waiting += [int(it) for it in file.read().split()]
        except OSError:
            continue
    return found


def nginx(folder, name, port, server, http=""):
    path = os.path.join(folder, f"{name}.conf")
    with open(path, "w") as file:
        file.write(NGINX % {"folder": folder, "name": name, "port": port, "server": server, "http": http})
    return ["nginx", "-e", f"{folder}/{name}.log", "-c", path, "-g", "daemon off;"]


def mynah_run(folder, name, config, port):
    path = os.path.join(folder, f"{name}.yaml")
    with open(path, "w") as file:
        file.write(config)
    environment = {
        "KONG_PROXY_LISTEN": f"127.0.0.1:{port}", "KONG_ADMIN_LISTEN": "off", "KONG_STATUS_LISTEN": "off",
        "KONG_NGINX_WORKER_PROCESSES": "1", "KONG_PROXY_ACCESS_LOG": "off",
    }
    return [MYNAH, "run", path], environment


def mock_servers(folder, peers):
    os.makedirs(os.path.join(folder, "specs"), exist_ok=True)
    shutil.copy(SPEC, os.path.join(folder, "specs"))
    command, environment = mynah_run(folder, "mock", MOCK_CONFIG, 24001)
    servers = [
        Server("mynah run (cors, mocking)", command, 24001, MOCK_PATH, environment, folder),
        Server("mynah mock", [MYNAH, "mock", SPEC, "--port", "24002"], 24002, MOCK_PATH,
               {"KONG_NGINX_WORKER_PROCESSES": "1", "KONG_PROXY_ACCESS_LOG": "off"}),
    ]
    servers[0].start(subprocess.DEVNULL)
    with urllib.request.urlopen(servers[0].url) as answer:
        body = answer.read().decode()
    servers[0].stop()
    text = body.replace("\\", "\\\\").replace("'", "\\'")
    reply = f"""location = /stock/historical {{
      default_type application/json;
      add_header Access-Control-Allow-Origin *; add_header X-Kong-Response-Latency 0; add_header X-Kong-Request-Id $request_id;
      return 200 '{text}'; }}"""
    servers.append(Server("nginx return 200", nginx(folder, "nginx", 24003, reply), 24003, MOCK_PATH))
    prism, mockoon = (find(peers, name) for name in ("prism", "mockoon-cli"))
    if prism:
        servers.append(Server("Prism", [prism, "mock", SPEC, "-p", "24004", "-h", "127.0.0.1"], 24004, MOCK_PATH))
    if mockoon:
        servers.append(Server(
            "Mockoon", [mockoon, "start", "--data", SPEC, "--port", "24005", "--disable-log-to-file"],
            24005, MOCK_PATH))
    return servers, "nginx return 200"


def proxy_servers(folder, _peers):
    upstream = nginx(folder, "upstream", 24010, "location / { return 200 'hello, world'; }")
    upstream = Server("upstream", upstream, 24010, "/")
    command, environment = mynah_run(folder, "proxy", PROXY_CONFIG % {"upstream": 24010}, 24011)
    pool = "upstream up { server 127.0.0.1:24010; keepalive 64; keepalive_requests 100000000; }"
    location = "location / { proxy_pass http://up; %s }"
    plain = 'proxy_http_version 1.1; proxy_set_header Connection "";'
    upstream.start(subprocess.DEVNULL)
    subprocess.run(["taskset", "-apc", "1", str(upstream.process.pid)], stdout=subprocess.DEVNULL, check=True)
    for pid in family(upstream.process.pid):
        subprocess.run(["taskset", "-apc", "1", str(pid)], stdout=subprocess.DEVNULL, check=True)
    servers = [
        Server("mynah", command, 24011, "/", environment, folder),
        Server("nginx, the same headers", nginx(folder, "same", 24012, location % KONG_HEADERS, pool), 24012, "/"),
        Server("nginx, no headers", nginx(folder, "plain", 24013, location % plain, pool), 24013, "/"),
    ]
    return servers, "nginx, the same headers"


def find(folder, name):
    installed = os.path.join(folder, "node_modules", ".bin", name)
    path = installed if os.path.exists(installed) else shutil.which(name)
    if not path:
        print(f"left out: {name} is not installed")
    return path


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenario", choices=["mock", "proxy"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--peers", default=ROOT, help="folder in which the npm packages were installed")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        make = {"mock": mock_servers, "proxy": proxy_servers}[asked.scenario]
        servers, reference = make(folder, asked.peers)
        log = open(os.path.join(folder, "log"), "w")
        try:
            for server in servers:
                server.start(log)
                server.measure(1)
                server.rates.clear(), server.costs.clear()
            for _ in range(asked.rounds):
                for server in servers:
                    server.measure(asked.seconds)
        finally:
            for server in servers:
                if hasattr(server, "process"):
                    server.stop()
        report(servers, next(it for it in servers if it.name == reference))


def report(servers, reference):
    rate, cost = statistics.median, statistics.median
    print(f"| server | requests/s | CPU us/request (least to most) | CPU to {reference.name} |\n|---|---|---|---|")
    for it in servers:
        spread = f"{cost(it.costs):.2f} ({min(it.costs):.2f} to {max(it.costs):.2f})"
        ratio = cost(it.costs) / cost(reference.costs)
        print(f"| {it.name} | {rate(it.rates):,.0f} | {spread} | {ratio:.2f} |")


if __name__ == "__main__":
    main()
