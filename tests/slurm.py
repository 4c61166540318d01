"""A private SLURM cluster on this machine: real munged, slurmctld and a slurmd for each node, without systemd.

Its nodes pretend to have a GPU each. There is no accounting, as on small clusters: jobs are asked after with squeue.
"""

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from checkout import BINARIES, environment
from conftest import ROOT
from services import SBIN, free_port, program, wait_until

CONFIG = """
ClusterName=local
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CryptoType=crypto/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
TaskProlog={folder}/prolog
SwitchType=switch/none
MpiDefault=none
ReturnToService=0
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=1,bf_interval=1,batch_sched_delay=0,sched_min_interval=0
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
MinJobAge=300
KillWait=2
SlurmctldTimeout=30
SlurmdTimeout=30
GresTypes=gpu
SlurmdParameters=config_overrides
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/filetxt
JobCompLoc={folder}/jobcomp.txt
"""
NODE = """NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs=2 Boards=1 SocketsPerBoard=1 \
CoresPerSocket=2 ThreadsPerCore=1 RealMemory=32000 Gres=gpu:1 State=UNKNOWN
"""
PARTITION = "PartitionName=main Nodes=ALL Default=YES State=UP DefMemPerCPU=512\n"
# The plugin that starts a job inside its allocation drops SLURM_CONF, which a cluster with a system-wide
# configuration does not need.
SRUN = """#!/bin/sh
SLURM_CONF={folder}/slurm.conf exec {srun} "$@"
"""


# What profiles/slurm says of clusters without accounting; and asked after often, for tests.
NO_ACCOUNTING = "slurm-status-command: squeue\n"
IMPATIENT = "slurm-init-seconds-before-status-checks: 1\nseconds-between-status-checks: 2\n"
# As on clusters whose nodes have disks of their own: each gives its tasks a folder there.
PROLOG = """#!/bin/sh
mkdir -p {folder}/scratch/$SLURMD_NODENAME
echo export TMPDIR={folder}/scratch/$SLURMD_NODENAME
"""


@dataclass(frozen=True)
class Cluster:
    """A running cluster; ``environment`` are the variables with which its commands find it."""

    folder: Path
    nodes: tuple[str, ...]

    @property
    def environment(self) -> dict[str, str]:
        """What to add to the environment of whoever uses the cluster."""
        return {"SLURM_CONF": str(self.folder / "slurm.conf"), "PATH": f"{self.folder / 'bin'}{os.pathsep}{SBIN}"}

    def ask(self, *command: str) -> str:
        """What a command of SLURM says, which must succeed."""
        environment = {**os.environ, **self.environment}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}\n{self.logs()}"
        return done.stdout

    def jobs(self) -> dict[str, str]:
        """State of each job that has not ended, by its id."""
        return dict(line.split() for line in self.ask("squeue", "--noheader", "--format=%i %T").splitlines())

    def state(self) -> str:
        """State of the nodes, such as ``idle``; a line for each that some are in."""
        return self.ask("sinfo", "--noheader", "--format=%T").strip()

    def set_node(self, state: str) -> None:
        """`scontrol update` of the first node: ``down`` or ``resume``."""
        self.ask("scontrol", "update", f"NodeName={self.nodes[0]}", f"State={state}", "Reason=test")

    def steps_of(self, job: str) -> list[Path]:
        """The sockets of a job's steps that are still alive on a node, by which slurmd knows them."""
        return list(self.folder.glob(f"spool-*/node*_{job}.*"))

    def log_of(self, node: str) -> str:
        """What a node's daemon has told."""
        return (self.folder / f"slurmd-{node}.log").read_text(errors="replace")

    def completed(self) -> str:
        """A line for each job that has ended, in order, with its state and what it had asked for."""
        return (self.folder / "jobcomp.txt").read_text()

    def finished(self) -> list[str]:
        """The state in which each job that has ended did so, in order."""
        return [word.removeprefix("JobState=") for word in self.completed().split() if "JobState=" in word]

    def logs(self) -> str:
        """The ends of the daemons' logs."""
        return "\n".join(path.read_text(errors="replace")[-1500:] for path in self.folder.glob("*.log"))


def end(pid_file: Path) -> None:
    """End the daemon whose id a file has."""
    if not pid_file.exists():
        return
    with suppress(ProcessLookupError, ValueError):
        process = int(pid_file.read_text())
        os.kill(process, signal.SIGTERM)
        try:
            wait_until(lambda: not Path(f"/proc/{process}").exists(), pid_file.stem, 10)
        except AssertionError:
            os.kill(process, signal.SIGKILL)


@contextmanager
def cluster(folder: Path, nodes: int = 1) -> Iterator[Cluster]:
    """A cluster in ``folder`` for as long as the block runs."""
    if os.getuid() != 0:
        pytest.skip("a node's daemon has to be started by root")
    found = Cluster(folder, tuple(f"node{i}" for i in range(nodes)))
    commands = configured(found)
    environment = {**os.environ, **found.environment}
    try:
        for command in commands:
            # They fork; the words of the start are kept, not piped, because the daemon keeps what it inherits open.
            with (folder / "start.log").open("a") as words:
                started = subprocess.run(command, env=environment, stdout=words, stderr=words, timeout=60)
            assert started.returncode == 0, found.logs()
            if "munged" in command[0]:
                wait_until((folder / "munge.socket").exists, "munged")
        wait_until(lambda: found.state() == "idle", "the nodes")
        yield found
    finally:
        if (folder / "slurmctld.pid").exists():
            subprocess.run(["scancel", "--user=root"], env=environment, capture_output=True, timeout=60)
        for pid_file in (*folder.glob("slurmd-*.pid"), folder / "slurmctld.pid", folder / "munged.pid"):
            end(pid_file)


def configured(cluster: Cluster) -> list[list[str]]:
    """Write all that a cluster is configured by; the commands that start its daemons."""
    folder = cluster.folder
    daemons = {name: program(name) for name in ("munged", "slurmctld", "slurmd")}
    for name in ("state", "bin"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    # munged and slurmd refuse folders that others may write to.
    folder.chmod(0o755)
    host = socket.gethostname().partition(".")[0]
    key = folder / "munge.key"
    key.write_bytes(os.urandom(1024))
    key.chmod(0o400)
    settings = {"folder": folder, "host": host, "user": "root", "controller": free_port()}
    lines = [NODE.format(name=name, host=host, port=free_port()) for name in cluster.nodes]
    (folder / "slurm.conf").write_text(CONFIG.format(**settings) + "".join(lines) + PARTITION)
    (folder / "gres.conf").write_text("".join(f"NodeName={name} Name=gpu File=/dev/null\n" for name in cluster.nodes))
    (folder / "jobcomp.txt").touch()
    for script, text in ((folder / "bin" / "srun", SRUN), (folder / "prolog", PROLOG)):
        script.write_text(text.format(folder=folder, srun=program("srun")))
        script.chmod(0o755)
    munged = [daemons["munged"], f"--key-file={key}", f"--socket={folder}/munge.socket", "--num-threads=2", "--force"]
    munged += [f"--{kind}-file={folder}/munged.{kind}" for kind in ("pid", "log", "seed")]
    conf = str(folder / "slurm.conf")
    return [
        munged,
        [daemons["slurmctld"], "-f", conf, "-c"],
        *([daemons["slurmd"], "-f", conf, "-N", name, "-c"] for name in cluster.nodes),
    ]


def on_cluster(folder: Path, slurm: Cluster) -> dict[str, str]:
    """The environment of a login node."""
    path = f"{slurm.folder / 'bin'}{os.pathsep}{BINARIES}{os.pathsep}{slurm.environment['PATH']}"
    return {**environment(folder), **slurm.environment, "PATH": path, "SNAKEMAKE_PROFILE": "profiles/slurm"}


def with_profile(folder: Path) -> Path:
    """Give a folder this checkout's profile of clusters, set for one without accounting."""
    text = (ROOT / "profiles" / "slurm" / "config.yaml").read_text()
    assert "# Where the cluster has no accounting (no sacct): slurm-status-command: squeue" in text
    (folder / "profiles" / "slurm").mkdir(parents=True, exist_ok=True)
    (folder / "profiles" / "slurm" / "config.yaml").write_text(text + NO_ACCOUNTING + IMPATIENT)
    return folder
