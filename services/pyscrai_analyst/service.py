"""The analyst as a process."""

from pyscrai.engine.command import engine_command
from pyscrai_analyst.handlers import plain

main = engine_command("analyst", plain, text="Run an analyst engine: it checks and measures what happened.")
