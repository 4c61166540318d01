"""The sandbox's seccomp filter: system calls that no program under test needs, refused.

Written out here, for the two architectures that clusters have, and not by libseccomp's Python binding, which needs a
library that neither bubblewrap nor Python brings. The numbers are those of the kernel's ``unistd.h``.

The namespaces keep a program away from files, network and other processes. The filter keeps it away from what
namespaces do not: the kernel's rarely used doors (bpf, io_uring, userfaultfd, ...), memory that no limit counts
(``memfd_create``, System V), and the worker itself, which runs under the same user (``ptrace``, ``prlimit`` of another
process, scheduling).
"""

import errno
import platform
import socket
import struct

# name: number on x86-64, on aarch64; None where there is no such call.
DENIED: dict[str, tuple[int, int | None]] = {
    # other processes
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
    "process_mrelease": (448, 448),
    "kcmp": (312, 272),
    "pidfd_getfd": (438, 438),
    "setpriority": (141, 140),
    "ioprio_set": (251, 30),
    "sched_setaffinity": (203, 122),
    "sched_setattr": (314, 274),
    "sched_setparam": (142, 118),
    "sched_setscheduler": (144, 119),
    "migrate_pages": (256, 238),
    "move_pages": (279, 239),
    # mounts and namespaces
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "unshare": (272, 97),
    "setns": (308, 268),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    # memory and objects that outlive a process or that no limit counts
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "shmget": (29, 194),
    "msgget": (68, 186),
    "semget": (64, 190),
    "mq_open": (240, 180),
    "keyctl": (250, 219),
    "add_key": (248, 217),
    "request_key": (249, 218),
    # the kernel
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "fanotify_init": (300, 262),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "reboot": (169, 142),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "acct": (163, 89),
    "quotactl": (179, 60),
    "syslog": (103, 116),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "clock_adjtime": (305, 266),
    "adjtimex": (159, 171),
    "sethostname": (170, 161),
    "setdomainname": (171, 162),
    "personality": (135, 92),
    "vhangup": (153, 58),
    "ioperm": (173, None),
    "iopl": (172, None),
    "modify_ldt": (154, None),
    "uselib": (134, None),
}
# Refused for some of their arguments.
CONDITIONAL: dict[str, tuple[int, int]] = {
    "socket": (41, 198),
    "clone": (56, 220),
    "prlimit64": (302, 261),
    "clone3": (435, 435),
}
ARCHITECTURES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
NEW_NAMESPACES = 0x7E020000  # CLONE_NEWNS | NEWCGROUP | NEWUTS | NEWIPC | NEWUSER | NEWPID | NEWNET
X32 = 0x40000000

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _ERRNO, _KILL = 0x7FFF0000, 0x00050000, 0x80000000
_NUMBER, _ARCHITECTURE, _FIRST_LOW, _FIRST_HIGH = 0, 4, 16, 20  # offsets in struct seccomp_data, little-endian


def _instruction(code: int, value: int, then: int = 0, otherwise: int = 0) -> bytes:
    """One ``struct sock_filter``; ``then`` and ``otherwise`` are how many instructions a jump skips."""
    return struct.pack("<HBBI", code, then, otherwise, value)


def _refused(error: int) -> bytes:
    return _instruction(_RETURN, _ERRNO | error)


def _unless(number: int, *body: bytes) -> bytes:
    """``body`` for the system call ``number``, which then ends or loads the number again."""
    return _instruction(_EQUAL, number, 0, len(b"".join(body)) // 8) + b"".join(body)


def seccomp_filter(machine: str | None = None) -> bytes:
    """The filter as BPF, for ``bwrap --seccomp``.

    Raises:
        NotImplementedError: there are no numbers for this architecture.
    """
    machine = machine or platform.machine()
    if machine not in ARCHITECTURES:
        raise NotImplementedError(f"no seccomp filter for `{machine}`, only for {sorted(ARCHITECTURES)}")
    place, architecture = ARCHITECTURES[machine]
    special = {name: numbers[place] for name, numbers in CONDITIONAL.items()}
    allow, perm = _instruction(_RETURN, _ALLOW), _refused(errno.EPERM)
    program = [
        _instruction(_LOAD, _ARCHITECTURE),
        _instruction(_EQUAL, architecture, 1, 0),
        _instruction(_RETURN, _KILL),
        _instruction(_LOAD, _NUMBER),
    ]
    if machine == "x86_64":
        program += [_instruction(_AT_LEAST, X32, 0, 1), perm]
    for numbers in DENIED.values():
        number = numbers[place]
        if number is not None:
            program.append(_unless(number, perm))
    program += [
        # Other families than local ones: there is no network to reach, and the kernel has many.
        _unless(
            special["socket"],
            _instruction(_LOAD, _FIRST_LOW),
            _instruction(_EQUAL, socket.AF_UNIX, 0, 1),
            allow,
            perm,
        ),
        _unless(
            special["clone"],
            _instruction(_LOAD, _FIRST_LOW),
            _instruction(_ANY_BIT, NEW_NAMESPACES, 0, 1),
            perm,
            allow,
        ),
        # Only limits of the caller itself (0): the worker has the same user.
        _unless(
            special["prlimit64"],
            _instruction(_LOAD, _FIRST_LOW),
            _instruction(_EQUAL, 0, 0, 1),
            allow,
            perm,
        ),
        # Its flags lie in memory, where no filter sees them; the C library takes `clone` then.
        _unless(special["clone3"], _refused(errno.ENOSYS)),
        allow,
    ]
    return b"".join(program)
