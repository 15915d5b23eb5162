"""`python -m pyscrai_mock_provider`."""

from pyscrai_mock_provider.command import main

if __name__ == "__main__":
    main(prog_name="python -m pyscrai_mock_provider")
