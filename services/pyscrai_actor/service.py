"""The actor as a process."""

from pyscrai.engine.command import engine_command
from pyscrai_actor.handlers import plain

main = engine_command("actor", plain, text="Run an actor engine: it plays seats, one event at a time each.")
