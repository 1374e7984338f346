"""Programs that attack their sandbox, and the table of what becomes of them: ``python -m tests.faults.sandbox_attacks``.

Each is Python source; ``{port}``, ``{name}``, ``{canary}`` and ``{pid}`` are facts about the host that an attacker may
know: a listening port, an abstract socket, a file in the user's home directory, a process. What an attack finds out it
writes to descriptor 5.
"""

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from r1flow.components.processes.sandbox import interpreters, slots
from r1flow.components.processes.sandbox.base import Limits, MiB, Outcome, Program, Sandbox

LIMITS = Limits(wall_seconds=2.0, cpu_seconds=1, memory_bytes=128 * MiB)
ENVIRONMENT_CANARY = "R1_CANARY"
FIRST_UID, COUNT = 47600, 64
"""User ids for these tests alone, so that other sandboxes of the machine do not count as left behind."""

_TRY = """
import os
def tell(text): os.write(5, (text + "\\n").encode())
def attempt(name, act):
    try:
        tell(f"{name}: {act()!r}")
    except BaseException as error:
        tell(f"{name}: {type(error).__name__} {getattr(error, 'errno', '')}")
"""

ATTACKS = {
    "fork bomb": """
n = 0
while True:
    try:
        if os.fork() == 0:
            import time
            time.sleep(60)
        n += 1
    except OSError:
        tell(f"forks: {n}")
        os._exit(0)
""",
    "fork bomb without end": """
import time
while True:
    try:
        os.fork()
    except OSError:
        time.sleep(0.01)
""",
    "memory, one process": "x = []\nwhile True: x.append(bytearray(1 << 20))",
    "memory, many processes": """
n = 0
while True:
    try:
        if os.fork() == 0:
            import time
            kept = bytearray(16 << 20)
            time.sleep(60)
        n += 1
    except OSError:
        tell(f"forks: {n}")
        os._exit(0)
""",
    "shared memory": """
import mmap
def many():
    kept = [mmap.mmap(-1, 32 << 20) for _ in range(100)]
attempt("mmap", many)
attempt("memfd", lambda: os.memfd_create("x"))
""",
    "disk fill": """
n = 0
try:
    for i in range(1000):
        with open(f"/tmp/{i}", "wb") as file:
            file.write(bytes(1 << 20))
        n += 1
except OSError as error:
    tell(f"{n} MiB, errno {error.errno}")
def write(path):
    with open(path, "wb") as file:
        file.write(b"x")
for path in ("/x", "/usr/x", "/etc/x", "/dev/x", "/proc/x"):
    attempt(path, lambda: write(path))
""",
    "one large file": "open('large', 'wb').write(bytes(20 << 20))",
    "endless output": "while True: os.write(1, b'x' * 65536)",
    "endless errors": "while True: os.write(2, b'x' * 65536)",
    "sleep": "import time\ntime.sleep(60)",
    "processor": "while True: pass",
    "processor, signal ignored": "import signal\nsignal.signal(signal.SIGXCPU, signal.SIG_IGN)\nwhile True: pass",
    "grandchild in its own session holds stdout": """
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        import time
        time.sleep(60)
os._exit(0)
""",
    "network to loopback": """
import socket
attempt("connect", lambda: socket.create_connection(("127.0.0.1", {port}), 1))
attempt("outside", lambda: socket.create_connection(("192.0.2.1", 80), 1))
attempt("vsock", lambda: socket.socket(40, 1))
attempt("netlink", lambda: socket.socket(16, 3))
""",
    "abstract unix socket": """
import socket
attempt("connect", lambda: socket.socket(socket.AF_UNIX).connect("\\0{name}"))
attempt("bind", lambda: socket.socket(socket.AF_UNIX).bind("\\0{name}-mine"))
import time
time.sleep(0.1)
""",
    "home directory": """
attempt("canary", lambda: open({canary!r}).read())
attempt("root", lambda: os.listdir("/root"))
attempt("home", lambda: os.listdir("/home"))
attempt("up", lambda: sorted(os.listdir("/tmp")))
attempt("overwrite", lambda: open({canary!r}, "w").write("owned"))
attempt("through init", lambda: open("/proc/1/root" + {canary!r}).read())
""",
    "environment": """
import glob
attempt("own", lambda: sorted(os.environ))
for path in glob.glob("/proc/[0-9]*/environ"):
    attempt(path, lambda: b"CANARY" in open(path, "rb").read())
""",
    "processes of others": """
attempt("seen", lambda: sorted(int(name) for name in os.listdir("/proc") if name.isdecimal()))
attempt("kill", lambda: os.kill({pid}, 9))
""",
    "ptrace of process 1": """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
def trace():
    if libc.ptrace(16, 1, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "ptrace")
attempt("ptrace", trace)
attempt("memory", lambda: open("/proc/1/mem", "rb"))
""",
    "killing process 1": "os.kill(1, 9)\nos.kill(1, 15)\ntell('alive')\nos.kill(-1, 9)\ntell('alone')",
    "namespaces and mounts": """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
def call(name, *arguments):
    if getattr(libc, name)(*arguments) < 0:
        raise OSError(ctypes.get_errno(), name)
attempt("unshare user", lambda: call("unshare", 0x10000000))
attempt("unshare network", lambda: call("unshare", 0x40000000))
attempt("mount", lambda: call("mount", b"none", b"/tmp", b"tmpfs", 0, None))
attempt("umount", lambda: call("umount2", b"/usr", 2))
attempt("chroot", lambda: os.chroot("/tmp"))
attempt("io_uring", lambda: call("syscall", 425, 1, 0))
attempt("keyctl", lambda: call("syscall", 250, 0, -3, 0))
attempt("setuid", lambda: os.setuid(0))
attempt("push into the terminal", lambda: call("ioctl", 0, 0x5412, b"x"))
""",
    "overwriting its files": "attempt('write', lambda: open(__file__, 'w').write('pass'))\nos._exit(0)",
    "early exit": "os._exit(0)",
    "inherited descriptors": """
attempt("open", lambda: [fd for fd in range(3, 1024) if os.path.exists(f"/proc/self/fd/{{fd}}")])
""",
    "a child closes the report": """
if os.fork() == 0:
    os.close(5)
    os._exit(0)
os.wait()
tell("mine")
""",
    "a child floods the report": """
if os.fork() == 0:
    while True: os.write(5, b"x" * 65536)
os.wait()
""",
    "closing every channel": "import time\nos.closerange(0, 64)\ntime.sleep(60)",
    "links": """
attempt("link", lambda: os.symlink({canary!r}, "link"))
attempt("read", lambda: open("link").read())
attempt("hard", lambda: os.link("/usr/bin/python3", "hard"))
attempt("replace work", lambda: os.rename("/tmp/work", "/tmp/other"))
attempt("link to root", lambda: os.symlink("/proc/1/root", "/tmp/work"))
attempt("through it", lambda: open("/tmp/work" + {canary!r}).read())
""",
}


@dataclass(frozen=True)
class Host:
    """What lies on the machine for attacks to find."""

    port: int
    name: str
    canary: Path
    pid: int
    secret: str
    reached: list[str]
    """Filled when the host closes: connections that came, a changed canary, a killed process."""


@contextlib.contextmanager
def host() -> Iterator[Host]:
    """Listeners, a canary in the home directory and in the environment, an inheritable descriptor, a process."""
    secret, name = uuid.uuid4().hex, f"r1-attack-{uuid.uuid4().hex[:8]}"
    with contextlib.ExitStack() as stack:
        listening = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        abstract = stack.enter_context(socket.socket(socket.AF_UNIX))
        abstract.bind("\0" + name)
        abstract.listen()
        directory = stack.enter_context(tempfile.TemporaryDirectory(prefix=".r1-canary-", dir=Path.home()))
        canary = Path(directory, "canary")
        canary.write_text(secret)
        for path in (canary, canary.parent):
            path.chmod(0o777)  # only isolation keeps it
        os.environ[ENVIRONMENT_CANARY] = secret
        stack.callback(os.environ.pop, ENVIRONMENT_CANARY)
        with open(canary) as inheritable:
            os.set_inheritable(inheritable.fileno(), True)
            bystander = subprocess.Popen(["sleep", "600"])
            stack.callback(bystander.wait)
            stack.callback(bystander.kill)
            machine = Host(listening.getsockname()[1], name, canary, bystander.pid, secret, [])
            yield machine
            for server in (listening, abstract):
                server.setblocking(False)
                with contextlib.suppress(BlockingIOError):
                    server.accept()
                    machine.reached.append("connected")
            if canary.read_text() != secret:
                machine.reached.append("canary")
            if bystander.poll() is not None:
                machine.reached.append("process")


def source_of(name: str, machine: Host) -> str:
    """An attack as a program, with what it knows of the host."""
    facts = {"port": machine.port, "name": machine.name, "canary": str(machine.canary), "pid": machine.pid}
    source = ATTACKS[name]
    if "{" in source and any("{" + fact in source for fact in facts):
        for fact, value in facts.items():
            source = source.replace("{" + fact + "!r}", repr(value)).replace("{" + fact + "}", str(value))
    return _TRY + source.replace("{{", "{").replace("}}", "}")


def attack(sandbox: Sandbox, name: str, machine: Host, limits: Limits = LIMITS) -> Outcome:
    """Run one attack."""
    files = {"attack.py": source_of(name, machine).encode()}
    return sandbox.run(Program([*interpreters.python(), "attack.py"], files, limits=limits))


@contextlib.contextmanager
def own_users() -> Iterator[None]:
    """Sandboxes made in here use user ids that nobody else on the machine does."""
    before = slots.FIRST_UID, slots.COUNT, slots.LOCKS
    slots.FIRST_UID, slots.COUNT, slots.LOCKS = FIRST_UID, COUNT, "r1flow-sandbox-slots-tests"
    try:
        yield
    finally:
        slots.FIRST_UID, slots.COUNT, slots.LOCKS = before


def left_behind() -> list[int]:
    """Processes that still run under these tests' user ids."""
    return [pid for pid, uid in slots.owners() if FIRST_UID <= uid < FIRST_UID + COUNT]


def main() -> None:
    from r1flow.components.processes.sandbox.choose import open_sandbox

    with own_users():
        sandbox = open_sandbox()
        worst = 0.0
        print(f"{'attack':44} {'end':8} {'code':>5} {'seconds':>8} {'left':>4}  report or detail")
        for name in ATTACKS:
            with host() as machine:
                begun = time.monotonic()
                outcome = attack(sandbox, name, machine)
                seconds = time.monotonic() - begun
            worst = max(worst, seconds)
            said = outcome.report[:300].decode(errors="replace").replace("\n", "; ") if not outcome.truncated else ""
            said = said or outcome.detail or outcome.stderr[-60:].decode(errors="replace").strip()
            code = "" if outcome.returncode is None else outcome.returncode
            print(f"{name:44} {outcome.end:8} {code!s:>5} {seconds:8.3f} {len(left_behind()):4}  {said}")
            if machine.reached:
                sys.exit(f"{name}: reached {machine.reached}")
    print(f"longest {worst:.3f} s, clock {LIMITS.wall_seconds:g} s")


if __name__ == "__main__":
    main()
