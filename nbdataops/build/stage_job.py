"""The job of a stage: its notebook as it was observed, typed parameters, limits, and the environment of its kernel."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from nbdataops.build.assign import injected_source, json_parameters, kernel_environment
from nbdataops.build.executors import Limits, StageJob
from nbdataops.build.nodes import Node
from nbdataops.build.redaction import pieces
from nbdataops.build.world import World
from nbdataops.session.secrets import resolve_secret


def make_job(
    node: Node,
    world: World,
    assignment: Path,
    output: Path,
    *,
    ipython: Path,
    threads: int,
    on_cell: Callable[[int, int], None],
    on_memory: Callable[[int, int], None],
    afterwards: Callable[[Callable[[], None]], None],
) -> StageJob:
    """What an executor needs; `threads` is the share of the cores for BLAS, OpenMP and the like.

    `ipython` is IPython's folder of the kernels: never the user's, whose startup files no other machine has; and one
    for all stages, since a kernel that is initialised ahead of need has read it already.
    """
    stage = world.graph.stages[node.stage]
    spec = world.spec
    return StageJob(
        stage=node.stage,
        node=node.id,
        notebook=world.declared.notebooks[node.stage],
        parameters=json_parameters(stage, node),
        injected=injected_source(stage, node),
        assignment=assignment,
        output=output,
        cwd=spec.root,
        environment=kernel_environment(assignment, ipython, threads=threads),
        limits=Limits(
            cell_timeout_s=spec.execution.cell_timeout_s,
            stage_timeout_s=spec.execution.stage_timeout_s,
            output_bytes=int(spec.execution.output_limit_mb * 1_000_000),
        ),
        redact=pieces(
            value
            for name in stage.secrets
            if (value := resolve_secret(name, spec.secret_providers, spec.root))
        ),
        on_cell=on_cell,
        on_memory=on_memory,
        afterwards=afterwards,
    )
