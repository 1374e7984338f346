"""Servers that note when they are asked to end, and a process that starts two of them: ``LOGS NOTES`` on its command line."""

import signal
import sys
from pathlib import Path

from r1flow.components.processes.servers import Server, Servers, free_port, interrupted_by_signals, plain_environment

# Serves a port, notes when it is asked to end and by what, and has a child in a session of its own.
SERVES = """
import http.server, os, signal, subprocess, sys
name, port, notes = sys.argv[1:]
def ends(number, frame):
    open(notes, "a").write(f"{name} {signal.Signals(number).name}\\n")
    os._exit(0)
signal.signal(signal.SIGTERM, ends)
signal.signal(signal.SIGINT, ends)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
open(notes + ".pids", "a").write(f"{os.getpid()} {child.pid}\\n")
http.server.HTTPServer(("127.0.0.1", int(port)), http.server.SimpleHTTPRequestHandler).serve_forever()
"""


def server(name: str, notes: Path, gently: signal.Signals = signal.SIGTERM) -> Server:
    port = free_port()
    command = (sys.executable, "-c", SERVES, name, str(port), str(notes))
    return Server(name, command, plain_environment(), ready=f"http://127.0.0.1:{port}/", gently=gently, grace_s=5)


def main(logs: Path, notes: Path) -> None:
    """As ``make stack`` and ``r1 ui`` do: until a signal."""
    interrupted_by_signals()
    try:
        with Servers(logs) as servers:
            for name in ("first", "second"):
                servers.start(server(name, notes))
            print("up", flush=True)
            servers.watch()
    except KeyboardInterrupt:
        return


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
