"""What programs use: `from pyscrai import Scenario, Runner, Event`. Nothing is imported here: the CLI starts fast."""
