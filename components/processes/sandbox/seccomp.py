"""A system call filter for what programs of a sandbox never need: a second wall behind the namespaces.

Built by libseccomp where it is installed; bubblewrap loads the result. Calls that reach other processes, namespaces,
mounts, kernel interfaces and memory outside RLIMIT_AS are refused with EPERM, clone3 with ENOSYS (its flags cannot be
seen, and the C library falls back to clone). Sockets are of the families unix, inet and inet6: AF_VSOCK, for one, is
not held by a network namespace.
"""

import ctypes
import errno
import os
import re

_LIBRARY = "libseccomp.so.2"
_ALLOW = 0x7FFF0000
_ERRNO = 0x00050000
_MASKED_EQ, _EQ, _GT = 7, 4, 6
_NAMESPACES = (0x00020000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000)
"""CLONE_NEW* for mount, cgroup, uts, ipc, user, pid and network namespaces; clone makes no time namespaces."""
_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C
_REFUSED = re.findall(
    r"\w+",
    """
    ptrace process_vm_readv process_vm_writev process_madvise process_mrelease kcmp pidfd_getfd
    keyctl add_key request_key bpf perf_event_open userfaultfd io_uring_setup io_uring_enter io_uring_register
    mount umount umount2 pivot_root chroot fsopen fsconfig fsmount fspick move_mount open_tree mount_setattr
    unshare setns name_to_handle_at open_by_handle_at fanotify_init quotactl quotactl_fd acct swapon swapoff
    init_module finit_module delete_module create_module kexec_load kexec_file_load reboot syslog
    settimeofday stime clock_settime clock_adjtime adjtimex iopl ioperm modify_ldt vhangup uselib ustat sysfs _sysctl
    lookup_dcookie nfsservctl personality mbind set_mempolicy migrate_pages move_pages set_mempolicy_home_node
    memfd_create memfd_secret shmget shmat shmctl shmdt msgget msgsnd msgrcv msgctl semget semop semctl semtimedop
    mq_open mq_unlink
""",
)


class _Comparison(ctypes.Structure):
    _fields_ = (
        ("argument", ctypes.c_uint),
        ("operator", ctypes.c_int),
        ("first", ctypes.c_uint64),
        ("second", ctypes.c_uint64),
    )


def program() -> bytes | None:
    """The filter as a BPF program, None where libseccomp is not installed. Raises ``OSError`` where building fails."""
    try:
        library = ctypes.CDLL(_LIBRARY, use_errno=True)
    except OSError:  # not installed: the sandbox works without, and says so
        return None
    library.seccomp_init.restype = ctypes.c_void_p
    library.seccomp_init.argtypes = [ctypes.c_uint32]
    library.seccomp_release.argtypes = [ctypes.c_void_p]
    library.seccomp_syscall_resolve_name.argtypes = [ctypes.c_char_p]
    library.seccomp_rule_add_array.argtypes = [
        *(ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int, ctypes.c_uint, ctypes.POINTER(_Comparison))
    ]
    library.seccomp_export_bpf.argtypes = [ctypes.c_void_p, ctypes.c_int]
    context = library.seccomp_init(_ALLOW)
    if not context:
        raise OSError("libseccomp: seccomp_init failed")
    try:
        _rules(library, context)
        return _export(library, context)
    finally:
        library.seccomp_release(context)


def _rules(library: ctypes.CDLL, context: int) -> None:
    for name in _REFUSED:
        _refuse(library, context, name)
    _refuse(library, context, "clone3", error=errno.ENOSYS)
    for flag in _NAMESPACES:
        _refuse(library, context, "clone", _Comparison(0, _MASKED_EQ, flag, flag))
    for request in (_TIOCSTI, _TIOCLINUX):
        _refuse(library, context, "ioctl", _Comparison(1, _MASKED_EQ, 0xFFFFFFFF, request))
    for family in (0, *range(3, 10)):
        _refuse(library, context, "socket", _Comparison(0, _EQ, family, 0))
    _refuse(library, context, "socket", _Comparison(0, _GT, 10, 0))


def _refuse(
    library: ctypes.CDLL, context: int, name: str, comparison: _Comparison | None = None, error: int = errno.EPERM
) -> None:
    """One rule; calls that this processor or this libseccomp does not know need none."""
    number = library.seccomp_syscall_resolve_name(name.encode())
    if number < 0:
        return
    count = 0 if comparison is None else 1
    given = None if comparison is None else ctypes.byref(comparison)
    result = library.seccomp_rule_add_array(context, _ERRNO | error, number, count, given)
    if result != 0:
        raise OSError(-result, f"libseccomp: no rule for {name}: {os.strerror(-result)}")


def _export(library: ctypes.CDLL, context: int) -> bytes:
    fd = os.memfd_create("seccomp", os.MFD_CLOEXEC)
    try:
        result = library.seccomp_export_bpf(context, fd)
        if result != 0:
            raise OSError(-result, f"libseccomp: {os.strerror(-result)}")
        return os.pread(fd, os.fstat(fd).st_size, 0)
    finally:
        os.close(fd)
