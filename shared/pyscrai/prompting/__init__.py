"""Rendering of prompts: Liquid templates in a sandbox, over what a claim hands to an engine."""

from pyscrai.prompting.errors import PromptError
from pyscrai.prompting.names import known_variables
from pyscrai.prompting.render import Problem, check, render, variables

__all__ = ["Problem", "PromptError", "check", "known_variables", "render", "variables"]
