"""What a worker process can be: each module imports its library and has `prepare` and `TASKS`."""
