"""Build: what is observed, planned and executed. `world` and `plan` think, `runner` acts."""
