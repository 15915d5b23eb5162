"""The narrator as a process."""

from pyscrai.engine.command import engine_command
from pyscrai_narrator.handlers import plain

main = engine_command("narrator", plain, text="Run a narrator engine: it writes how the world goes on.")
