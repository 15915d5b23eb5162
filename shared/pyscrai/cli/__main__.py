"""`python -m pyscrai.cli`: the same as `pyscrai`."""

from pyscrai.cli.main import main

main()
