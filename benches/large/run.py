#!/usr/bin/env python3
"""A configuration of many services with a route each: how long it takes to check it, and to write into it.

    python3 benches/large/run.py make [--services 10000] > kong.yaml
    python3 benches/large/run.py measure [--services 10000] [--rounds 5] [--binary target/release/mynah]

`make` prints the configuration. `measure` times `mynah check` of it as a process, then serves it and times each kind
of write of the Admin API, from the first byte of the request to the last one of the answer; the file is written each
time. What is printed are the median and the range over the rounds, in milliseconds, and the memory of the process
before any write, and after a hundred more. Only ratios within one run mean anything on a machine that does other things.
"""

import argparse
import http.client
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MYNAH = os.path.join(ROOT, "target", "release", "mynah")


def configuration(services):
    lines = ['_format_version: "3.0"', "services:"]
    for n in range(services):
        lines += [
            f"- name: service-{n:05}",
            f"  url: http://service-{n:05}.internal:8080",
            "  routes:",
            f"  - name: route-{n:05}",
            f"    paths: [/service/{n:05}]",
        ]
    return "\n".join(lines) + "\n"


def milliseconds(action):
    started = time.perf_counter()
    action()
    return (time.perf_counter() - started) * 1000


def show(what, times):
    print(f"{what:42} {statistics.median(times):7.0f}   ({min(times):.0f} to {max(times):.0f})", flush=True)


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def memory(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return int(next(line for line in status if line.startswith("VmRSS:")).split()[1]) // 1024


class Admin:
    def __init__(self, port):
        self.port = port
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def ask(self, method, path, body=None, kind="application/json"):
        text = json.dumps(body) if isinstance(body, dict) else body
        headers = {"content-type": kind} if text is not None else {}
        self.connection.request(method, path, text, headers)
        answer = self.connection.getresponse()
        said = answer.read()
        if answer.status >= 400:
            sys.exit(f"{method} {path}: {answer.status} {said.decode()}")
        return said

    def wait(self):
        for _ in range(200):
            try:
                return self.ask("GET", "/status")
            except OSError:
                self.connection.close()
                time.sleep(0.05)
        sys.exit("mynah does not answer")


def writes(services, n):
    """The writes of one round: what each is called, and its request."""
    some = f"{n * 37 % services:05}"
    yield "PATCH /routes/NAME (paths)", "PATCH", f"/routes/route-{some}", {"paths": [f"/patched/{n}"]}
    yield "PATCH /services/NAME (retries)", "PATCH", f"/services/service-{some}", {"retries": n + 1}
    yield "POST /services", "POST", "/services", {"name": f"new-{n}", "host": "new.internal"}
    yield "POST /services/NAME/routes", "POST", f"/services/new-{n}/routes", {"name": f"new-{n}", "paths": [f"/new/{n}"]}
    yield "POST /routes/NAME/plugins", "POST", f"/routes/new-{n}/plugins", {"name": "cors"}
    yield "PUT /routes/NAME (one that is there)", "PUT", f"/routes/new-{n}", {
        "paths": [f"/put/{n}"],
        "service": {"name": f"new-{n}"},
    }
    yield "PUT /services/NAME (a new one)", "PUT", f"/services/put-{n}", {"host": "put.internal"}
    yield "DELETE /routes/NAME", "DELETE", f"/routes/new-{n}", None
    yield "DELETE /services/NAME", "DELETE", f"/services/put-{n}", None


def measure(args):
    with tempfile.TemporaryDirectory() as folder:
        file = os.path.join(folder, "kong.yaml")
        text = configuration(args.services)
        with open(file, "w", encoding="utf-8") as out:
            out.write(text)
        check = [args.binary, "check", file]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        show("mynah check", [milliseconds(lambda: subprocess.run(check, check=True, **quiet)) for _ in range(args.rounds)])
        port = free_port()
        environment = dict(
            os.environ,
            KONG_PROXY_LISTEN=f"127.0.0.1:{free_port()}",
            KONG_ADMIN_LISTEN=f"127.0.0.1:{port}",
            KONG_DATABASE="off",
        )
        server = subprocess.Popen([args.binary, "run", file], env=environment, **quiet)
        try:
            admin = Admin(port)
            admin.wait()
            print(f"memory when it is ready, MiB{memory(server.pid):22}")
            times = {}
            for n in range(args.rounds):
                for name, *request in writes(args.services, n):
                    # Nothing of the write before is still going on.
                    time.sleep(args.pause)
                    times.setdefault(name, []).append(milliseconds(lambda: admin.ask(*request)))
            for name, all_of_them in times.items():
                show(name, all_of_them)
            for n in range(100):
                admin.ask("PATCH", f"/routes/route-{n:05}", {"paths": [f"/again/{n}"]})
                if n == 0:
                    print(f"memory after these, MiB{memory(server.pid):27}")
            print(f"memory after 100 more PATCHes, MiB{memory(server.pid):16}")
            posts = [milliseconds(lambda: admin.ask("POST", "/config", text, "text/yaml")) for _ in range(args.rounds)]
            show("POST /config", posts)
            print(f"memory after these, MiB{memory(server.pid):27}")
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["make", "measure"])
    parser.add_argument("--services", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--pause", type=float, default=0.5, help="seconds before each write")
    parser.add_argument("--binary", default=MYNAH)
    args = parser.parse_args()
    if args.what == "make":
        sys.stdout.write(configuration(args.services))
    else:
        measure(args)


if __name__ == "__main__":
    main()
