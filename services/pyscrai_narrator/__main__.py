"""`python -m pyscrai_narrator`."""

from pyscrai_narrator.service import main

if __name__ == "__main__":
    main(prog_name="python -m pyscrai_narrator")
