"""Where data and truth lie: snapshots (Arrow IPC, content-addressed), the ledger (SQL), and the folders that hold them.

`snapshots`, `versions`, `calendar` and `arrow_files` need pyarrow, numpy and xxhash only, so that a kernel can
import them; `ledger` needs SQLAlchemy and is imported by name where it is used.
"""
