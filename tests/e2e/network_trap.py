"""Runs a command whose every attempt to use a network is refused and noted, native libraries' included. Linux only.

The kernel asks this process before any process of the command makes an Internet socket, or the netlink socket with
which the C library begins to look up a name (seccomp_unotify(2)). Local sockets and pipes are left alone.
"""

from __future__ import annotations

import array
import ctypes
import errno
import fcntl
import os
import platform
import select
import socket
import struct
import subprocess
import sys
import threading
from pathlib import Path

_MACHINES = {  # AUDIT_ARCH_*, the numbers of socket(2) and seccomp(2)
    "x86_64": (0xC000003E, 41, 317),
    "aarch64": (0xC00000B7, 198, 277),
}
_ALLOW, _ASK = 0x7FFF0000, 0x7FC00000
_NOTIFICATION = struct.Struct("=QIIiIQ6Q")  # id, pid, flags; system call, architecture, instruction pointer, arguments
_ANSWER = struct.Struct("=QqiI")  # id, value, error, flags
_RECEIVE, _SEND = 0xC0502100, 0xC0182101  # SECCOMP_IOCTL_NOTIF_RECV, _SEND
_NO_NEW_PRIVILEGES, _SET_FILTER, _NEW_LISTENER = 38, 1, 8
_FAMILIES = {socket.AF_INET: "IPv4", socket.AF_INET6: "IPv6", 16: "a name look-up"}


def why_not() -> str:
    """A reason why nothing can be trapped here, or ""."""
    if not sys.platform.startswith("linux") or platform.machine() not in _MACHINES:
        return "sockets are trapped by the Linux kernel, on x86-64 and ARM64"
    done = subprocess.run(
        [sys.executable, __file__, "-1", sys.executable, "-c", ""], capture_output=True, text=True, check=False
    )
    return "" if done.returncode == 0 else f"this kernel or container lets no test trap sockets: {done.stderr.strip()}"


def run_trapped(
    command: list[str], *, env: dict[str, str], cwd: Path, timeout_s: float
) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    """What the command did, and a line for each attempt to use a network."""
    attempts: list[str] = []
    ours, theirs = socket.socketpair()
    with ours, theirs:
        process = subprocess.Popen(
            [sys.executable, __file__, str(theirs.fileno()), *command],
            pass_fds=[theirs.fileno()],
            env=env,
            cwd=cwd,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        theirs.close()
        _, control, *_ = ours.recvmsg(1, socket.CMSG_LEN(4))
        if not control:
            raise RuntimeError(process.communicate()[1])
        listener = array.array("i", control[0][2])[0]
        over = threading.Event()
        guard = threading.Thread(target=_guard, args=(listener, attempts, over))
        guard.start()
        try:
            out, err = process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        finally:
            over.set()
            guard.join()
            os.close(listener)
    return subprocess.CompletedProcess(command, process.returncode, out, err), attempts


def _guard(listener: int, attempts: list[str], over: threading.Event) -> None:
    poll = select.poll()
    poll.register(listener, select.POLLIN)
    while not over.is_set():
        if not any(events & select.POLLIN for _, events in poll.poll(50)):
            continue
        asked = bytearray(_NOTIFICATION.size)
        try:
            fcntl.ioctl(listener, _RECEIVE, asked)
            number, pid, _, _, _, _, family, *_ = _NOTIFICATION.unpack(asked)
            name = Path(f"/proc/{pid}/comm").read_text().strip()
            attempts.append(f"{_FAMILIES[family]}, by {name} ({pid})")
            fcntl.ioctl(listener, _SEND, bytearray(_ANSWER.pack(number, 0, -errno.EACCES, 0)))
        except OSError as error:
            attempts.append(f"by a process that has ended: {error}")


def _filter(architecture: int, socket_number: int) -> list[tuple[int, int, int, int]]:
    """(code, jump if true, jump if false, value) for each instruction of the kernel's packet filter."""
    load, equal, give = 0x20, 0x15, 0x06
    return [
        (load, 0, 0, 4),
        (equal, 0, 8, architecture),
        (load, 0, 0, 0),
        (equal, 0, 6, socket_number),
        (load, 0, 0, 16),  # the family
        (equal, 5, 0, socket.AF_INET),
        (equal, 4, 0, socket.AF_INET6),
        (equal, 0, 2, 16),  # AF_NETLINK
        (load, 0, 0, 32),  # its protocol
        (equal, 1, 0, 0),  # NETLINK_ROUTE: which addresses has this machine?
        (give, 0, 0, _ALLOW),
        (give, 0, 0, _ASK),
    ]


def _become(report_to: int, command: list[str]) -> None:
    """In the child: install the filter, hand its listener over, become the command."""
    architecture, socket_number, seccomp_number = _MACHINES[platform.machine()]
    instructions = b"".join(struct.pack("=HBBI", *line) for line in _filter(architecture, socket_number))
    code = ctypes.create_string_buffer(instructions)
    program = ctypes.create_string_buffer(struct.pack("HP", len(instructions) // 8, ctypes.addressof(code)))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0):
        sys.exit(os.strerror(ctypes.get_errno()))
    listener = libc.syscall(seccomp_number, _SET_FILTER, _NEW_LISTENER, program)
    if listener < 0:
        sys.exit(os.strerror(ctypes.get_errno()))
    if report_to >= 0:
        with socket.socket(fileno=report_to) as pipe:
            pipe.sendmsg([b"!"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [listener]))])
    os.close(listener)
    os.execvp(command[0], command)


if __name__ == "__main__":
    _become(int(sys.argv[1]), sys.argv[2:])
