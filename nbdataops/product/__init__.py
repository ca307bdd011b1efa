"""What a data product declares: `dataproduct.yaml`, its metric contract, and notebooks read as stages.

Nothing here executes anything: notebooks are read with `ast`, the declaration with strict models.
"""
