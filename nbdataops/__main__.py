"""`python -m nbdataops`."""

from nbdataops.cli import main

main()
