"""What a kernel imports of us: the assignment that names its inputs, the deposit it leaves, and every `stage` call.

Nothing here imports SQLAlchemy, pydantic, yaml, nbformat or papermill, and pandas, pyarrow and DuckDB only when a
call needs them.
"""
