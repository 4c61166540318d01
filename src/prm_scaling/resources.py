"""What a job asks a cluster for: cores, memory, minutes, GPUs; all follow from its models' sizes and its work.

The GPUs of a job share its models' weights, in training with what :data:`TRAINING_BYTES` counts: what one GPU does not
hold is trained by a process on each of several, which hold a part each (`models/training.py`). Beside them each GPU
holds the keys and values (``engine.cache_megabytes`` a model) of its share of the heads. Minutes are those of the plan
(``./run plan``), twice over, as its promise is a factor of two. What a job asks for makes no result stale: Snakemake
and DVC do not look at it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

import yaml

from prm_scaling.config import EngineParams, Params
from prm_scaling.provenance.rates import rates_of, seconds_of
from prm_scaling.provenance.work import Load, Work
from prm_scaling.strict import Count, Strict

WEIGHT_BYTES = {"float32": 4, "bfloat16": 2}
# Per parameter, in float32: weights, gradients, and the two moments of AdamW (Rajbhandari et al., ZeRO, section 3.1).
TRAINING_BYTES = 16
# Embeddings are not counted among a model's parameters; they are under a tenth of those that need more than one GPU.
EMBEDDINGS = 1.1
# Of each GPU: CUDA's context, activations, and what an allocator loses.
GPU_OVERHEAD = 8e9
# A token of a training example and its target, as Python objects, where it is read and where it is made.
EXAMPLE_BYTES, WRITING_BYTES = 60, 400
# Megabytes of Python with the libraries of tables, and of models.
TABLES, LIBRARIES = 1500, 3000
# Texts, tables and records that a job has at hand beside its models, a row.
ROW_BYTES = 10_000
# What a job may take in any case: starting Python from a shared file system alone can take a minute.
LEAST_MINUTES = 3
MARGIN = 2
CORES_PER_GPU = 8
MOST_CORES = 16
# A core more for each ten minutes of grading: programs and comparisons run in workers beside each other.
GRADING_SECONDS = 600


class Node(Strict):
    """The cluster's nodes that have GPUs, and its longest time limit."""

    gpus: Count
    gpu_gigabytes: Count
    hours: Count


@dataclass(frozen=True)
class Asked:
    """What one job asks for, by Snakemake's names: cores and memory of each node, minutes, the GPUs of all together.

    The last three are None on one node. On several, a job has a task on each: ``mpi`` tells the executor that the job
    itself starts them, with srun, and ``tasks_per_gpu`` of 0 that they are not counted by GPUs.
    """

    cpus: int
    mem_mb: int
    runtime: int
    gpu: int
    nodes: int
    tasks: int | None
    tasks_per_gpu: int | None
    mpi: str | None


class Needs:
    """What the jobs of a scale ask for on nodes of one kind."""

    def __init__(self, params: Params, rates: dict[str, Any], node: Node) -> None:
        self._engine = params.engine
        self._optimizer = params.train.optimizer
        self._work = Work(params, rates)
        self._rates = rates
        self._node = node

    @classmethod
    def of(cls, params: Params, checkout: Path) -> "Needs":
        """By the rates that hold in a checkout, and the nodes that profiles/slurm/node.yaml describes."""
        node = Node.model_validate(yaml.safe_load((checkout / "profiles" / "slurm" / "node.yaml").read_text()))
        return cls(params, rates_of(checkout), node)

    def asked(self, rule: str, wildcards: Mapping[str, str], attempt: int = 1) -> Asked:
        """What the job of ``rule`` asks for at its ``attempt``, counted from 1: more memory and time each time.

        Raises:
            ValueError: it fits no node, or is a training that needs several GPUs with an optimizer for one.
        """
        load = self._work.load(rule, wildcards)
        gpus = gpus_of(load, self._engine, self._node)
        nodes = max(1, ceil(gpus / self._node.gpus))
        if gpus > 1 and load.examples and self._optimizer == "muon":
            raise ValueError(
                f"train.optimizer: muon trains on one GPU, and a model of {load.held:,.0f} parameters needs {gpus} of "
                f"{self._node.gpu_gigabytes} GB; use adamw"
            )
        seconds = seconds_of(load, self._rates, self._engine.device)
        cpus = CORES_PER_GPU * ceil(gpus / nodes) if gpus else cores_of(load, seconds)
        minutes = max(LEAST_MINUTES, ceil(MARGIN * seconds / (gpus or cpus) / 60)) * attempt
        return Asked(
            cpus=cpus,
            mem_mb=megabytes_of(load, self._engine, ceil(gpus / nodes)) * attempt,
            # What takes longer ends there and goes on from its checkpoint when it is submitted again.
            runtime=min(minutes, 60 * self._node.hours),
            gpu=gpus,
            nodes=nodes,
            tasks=nodes if nodes > 1 else None,
            tasks_per_gpu=0 if nodes > 1 else None,
            mpi="srun" if nodes > 1 else None,
        )


def weights_of(load: Load, engine: EngineParams) -> float:
    """Bytes of a job's models, which its GPUs share: with gradients and moments where one is trained."""
    return load.held * EMBEDDINGS * (TRAINING_BYTES if load.examples else WEIGHT_BYTES[engine.dtype])


def caches_of(load: Load, engine: EngineParams) -> int:
    """Bytes of keys and values, on each GPU alike: a cache for each model that generates or scores."""
    models = 0 if load.examples else 2 if load.generate and load.reward else 1
    return models * (engine.cache_megabytes << 20)


def gpus_of(load: Load, engine: EngineParams, node: Node) -> int:
    """The fewest GPUs that hold a job's models: 0 without one, a power of two on one node, or whole nodes.

    Powers of two divide the heads of every model, as tensor parallelism wants it.

    Raises:
        ValueError: a GPU has no room beside the caches, or a model that is not trained does not fit on one node.
    """
    if engine.device == "cpu" or not load.parameters:
        return 0
    room = node.gpu_gigabytes * 1e9 - GPU_OVERHEAD - caches_of(load, engine)
    if room <= 0:
        raise ValueError(
            f"profiles/slurm/node.yaml: gpu_gigabytes {node.gpu_gigabytes} leaves no room beside the caches of "
            f"{engine.cache_megabytes} MB (engine.cache_megabytes); lower that, or name larger GPUs"
        )
    least, count = ceil(weights_of(load, engine) / room), 1
    while count < least:
        count *= 2
    if count <= node.gpus:
        return count
    if not load.examples:
        raise ValueError(
            f"profiles/slurm/node.yaml: a model of {load.held:,.0f} parameters does not fit on {node.gpus} GPUs of "
            f"{node.gpu_gigabytes} GB, and engines run on one node; name larger nodes, or leave the model out"
        )
    return ceil(least / node.gpus) * node.gpus


def cores_of(load: Load, seconds: float) -> int:
    """One, and more where there is much to grade."""
    return min(MOST_CORES, 1 + int(seconds // GRADING_SECONDS)) if load.graded or load.tested else 1


def megabytes_of(load: Load, engine: EngineParams, gpus: int) -> int:
    """Host memory of a job on each node, in megabytes: its libraries, its examples and records, and its models.

    Of a training each GPU has a process, which reads the whole model before it keeps its part.
    """
    if not load.parameters:
        records = (load.rows + load.graded + load.tested) * ROW_BYTES
        return TABLES + ceil((records + load.examples * WRITING_BYTES) / 1e6)
    if engine.device == "cpu":
        models = weights_of(load, engine) + caches_of(load, engine)
    else:  # they pass through host memory when they are read and written, trained ones in float32
        models = load.held * EMBEDDINGS * WEIGHT_BYTES["float32" if load.examples else engine.dtype]
    processes = max(1, gpus) if load.examples else 1
    return processes * (LIBRARIES + ceil((models + load.examples * EXAMPLE_BYTES) / 1e6))
