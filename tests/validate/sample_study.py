"""A complete study on synthetic data that is like CDNOW: three families, five methods, three overlapping origins at 39
weeks and four at 13. Run as a module it writes the study's JSON: python -m tests.validate.sample_study FILE."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from datetime import date, timedelta
from itertools import combinations
from pathlib import Path

from nbdataops.session.evidence import CheckResult
from nbdataops.validate.checks import CHECKS
from nbdataops.validate.inputs import CheckInputs, EstimateData
from nbdataops.validate.measurement import Measurement, absent
from nbdataops.validate.study import Study, judge
from tests.validate.synthetic import Market, Terms, estimate, inputs_at, market

AS_OF = date(1998, 6, 30)
ORIGINS = {
    39: tuple(date(1997, 9, 30) - timedelta(weeks=13 * k) for k in range(3)),
    13: tuple(date(1998, 3, 31) - timedelta(weeks=13 * k) for k in range(4)),
}
FACTORS = {
    "methods/bg_nbd": ("latent-attrition", 0.84, 0.965),
    "methods/pareto_nbd": ("latent-attrition", 0.86, 0.965),
    "methods/cohort": ("empirical", 1.02, 1.0),
    "methods/gradient_boosting": ("supervised", 0.97, 1.0),
    "methods/naive": ("empirical", 1.22, 1.04),
}


def methods(m: Market, as_of: date, horizon: int, replicates: int) -> dict[str, EstimateData]:
    """Five methods; at shorter horizons the latent-attrition ones miss by less."""
    made = {}
    for stage, (family, factor, spend) in FACTORS.items():
        short = horizon < 39
        made[stage] = estimate(
            m, stage, family, as_of, horizon, factor=factor**0.4 if short else factor,
            spend_factor=spend, refit=family != "empirical", replicates=replicates,
            wobble=0.03 if family == "supervised" else 0.012, rough=0.9 if stage.endswith("naive") else 0.15,
            label_windows=((as_of - timedelta(weeks=13), as_of),) if family == "supervised" else (),
        )  # fmt: skip
    return made


def measurements(n: int = 23_570, replicates: int = 50) -> Iterator[Measurement]:
    """Everything that the check nodes of such a product measure."""
    m = market(n)
    now = methods(m, AS_OF, 39, replicates)
    for subject in now.values():
        here = inputs_at(m, subject, AS_OF, 39, truth=False, replicates=replicates)
        yield from CHECKS["number"].measure(here)
        yield from CHECKS["invariant"].measure(here)
    for a, b in combinations(now.values(), 2):
        yield from CHECKS["triangulation"].measure(
            inputs_at(m, a, AS_OF, 39, other=b, truth=False, replicates=replicates)
        )
    for horizon, origins in ORIGINS.items():
        for as_of in origins:
            then = methods(m, as_of, horizon, replicates)
            naive = then["methods/naive"]
            for stage, subject in then.items():
                if stage.endswith("gradient_boosting") and as_of == min(origins):
                    yield from skipped(stage, as_of, horizon)
                    continue
                here = inputs_at(m, subject, as_of, horizon, replicates=replicates)
                for kind in ("holdout", "calibration"):
                    yield from CHECKS[kind].measure(here)
                if subject is not naive:
                    there = inputs_at(m, subject, as_of, horizon, other=naive, replicates=replicates)
                    yield from CHECKS["discrimination"].measure(there)
    yield from CHECKS["reconciliation"].measure(finance(m))


def skipped(stage: str, as_of: date, horizon: int) -> Iterator[Measurement]:
    for kind in ("holdout", "calibration", "discrimination"):
        yield absent(
            kind, stage, as_of=as_of, until=as_of + timedelta(weeks=horizon), horizon=horizon,
            reason="too little history for labels over 13 weeks", suffices=as_of + timedelta(weeks=13),
            families=("supervised",),
        )  # fmt: skip


def finance(m: Market) -> CheckInputs:
    """A notebook that holds monthly revenue against another account."""
    worst = {"label": "1997-03", "ours": 1.011, "theirs": 1.0, "log_ratio": 0.0109, "relative": 0.011}
    record = CheckResult(
        "monthly revenue", "series", 18, 0.02, True, log_ratio=0.0004, worst=worst
    ).to_dict()  # fmt: skip
    empty = EstimateData("checks/finance", "", m.population(AS_OF)[[]])
    return CheckInputs(empty, m.population(AS_OF), Terms().dict(), AS_OF, None, None, 0, 0, records=(record,))


def sample_study(n: int = 23_570, replicates: int = 50) -> Study:
    """The study of all that, judged with the default margins."""
    return judge(measurements(n, replicates), {}, Terms(), as_of=AS_OF, replicates=replicates)


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(json.dumps(sample_study().to_dict(), indent=1, allow_nan=False))
