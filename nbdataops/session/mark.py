"""`stage.validate` in a run: marks the place where the evidence is shown once the study exists."""

from __future__ import annotations

from dataclasses import replace

from nbdataops.session.current import Session

METADATA = {"nbdataops": {"validate": True}}
"""The report step finds the output to fill in by this metadata of a display_data output."""

TEXT = "The evidence appears here when the study of this run exists: see the report."


def mark(session: Session) -> None:
    """Shows a placeholder and records that this notebook asked for it."""
    from IPython.display import display

    session.deposit.update(replace(session.deposit.record, validated=True))
    display(  # type: ignore[no-untyped-call]
        {"text/html": f"<p><em>{TEXT}</em></p>", "text/plain": TEXT}, raw=True, metadata=METADATA
    )
