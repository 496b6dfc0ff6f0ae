#!/usr/bin/env python3
"""Processor time of a request with Lua beside one with a plugin in Rust.

    python3 benches/lua/run.py [path of the binary, by default target/release/mynah]

Each route answers with request-termination, so that nothing else is measured. The time is that of the gateway's process
(user and system, from /proc), divided by the requests, which are sent without waiting for each answer. Linux alone.
"""

import os
import socket
import subprocess
import sys
import tempfile
import time

REQUESTS = 40_000
BATCH = 100
ROUNDS = 5

# Plugins of each route, beside the one that answers.
ROUTES = {
    "nothing": "",
    "rust": "{name: correlation-id, config: {header_name: X-Id, generator: uuid, echo_downstream: false}}",
    "lua-empty": "{name: pre-function, config: {access: ['local x = 1']}}",
    "lua-header": "{name: pre-function, config: {access: ['"
    'local id = kong.request.get_header("x-client") kong.service.request.set_header("X-Id", id or "none")'
    "']}}",
    "lua-two-phases": "{name: pre-function, config: {access: ['kong.ctx.shared.a = 1'], "
    "header_filter: ['kong.response.set_header(\"X-A\", kong.ctx.shared.a)']}}",
    "lua-pattern": "{name: pre-function, config: {access: ['"
    'local token = (kong.request.get_header("authorization") or ""):match("^Bearer%s+(%S+)$")'
    "']}}",
}


def configuration():
    lines = ['_format_version: "3.0"', "routes:"]
    for name, plugin in ROUTES.items():
        answer = "{name: request-termination, config: {status_code: 200, body: ok}}"
        plugins = ", ".join(part for part in (plugin, answer) if part)
        lines += [f"- name: {name}", f"  paths: [/{name}]", f"  plugins: [{plugins}]"]
    return "\n".join(lines) + "\n"


def processor_time(pid):
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/schedstat", encoding="ascii") as file:
            total += int(file.read().split()[0])
    return total / 1e9


def send(port, path, count):
    request = (
        f"GET /{path} HTTP/1.1\r\nHost: localhost\r\nX-Client: c1\r\nAuthorization: Bearer abc.def\r\n\r\n"
    ).encode()
    connection = socket.create_connection(("127.0.0.1", port))
    for _ in range(count // BATCH):
        connection.sendall(request * BATCH)
        seen, rest = 0, b""
        while seen < BATCH:
            data = connection.recv(1 << 20)
            if not data:
                sys.exit(f"{path}: the connection was closed")
            rest += data
            seen += rest.count(b"HTTP/1.1 200 ")
            if b"HTTP/1.1 500 " in rest:
                sys.exit(f"{path}: answered with 500; the log says why")
            # The beginning of a status line may be cut.
            rest = rest[-12:] if not rest.endswith(b" ") else b""
    connection.close()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def main():
    binary = sys.argv[1] if len(sys.argv) > 1 else "target/release/mynah"
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "kong.yaml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(configuration())
        environment = {
            "PATH": os.environ["PATH"],
            "KONG_DECLARATIVE_CONFIG": path,
            "KONG_PROXY_LISTEN": f"127.0.0.1:{port}",
            "KONG_ADMIN_LISTEN": "off",
            "KONG_STATUS_LISTEN": "off",
            "KONG_PROXY_ACCESS_LOG": "off",
            "KONG_KEEPALIVE_REQUESTS": "0",
        }
        gateway = subprocess.Popen([binary, "run"], env=environment, stderr=subprocess.DEVNULL)
        try:
            for _ in range(100):
                try:
                    socket.create_connection(("127.0.0.1", port)).close()
                    break
                except OSError:
                    time.sleep(0.1)
            print(f"{'plugin':16} µs a request, median of {ROUNDS} rounds; beside `nothing`")
            base = None
            for name in ROUTES:
                send(port, name, 2_000)
                times = []
                for _ in range(ROUNDS):
                    before = processor_time(gateway.pid)
                    send(port, name, REQUESTS // ROUNDS)
                    times.append((processor_time(gateway.pid) - before) / (REQUESTS // ROUNDS) * 1e6)
                median = sorted(times)[ROUNDS // 2]
                base = median if base is None else base
                print(f"{name:16} {median:6.2f} {median - base:+6.2f}")
        finally:
            gateway.terminate()
            gateway.wait()


main()
