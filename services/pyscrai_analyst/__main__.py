"""`python -m pyscrai_analyst`."""

from pyscrai_analyst.service import main

if __name__ == "__main__":
    main(prog_name="python -m pyscrai_analyst")
