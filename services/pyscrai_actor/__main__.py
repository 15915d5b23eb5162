"""`python -m pyscrai_actor`."""

from pyscrai_actor.service import main

if __name__ == "__main__":
    main(prog_name="python -m pyscrai_actor")
