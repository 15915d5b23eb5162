"""The one error of prompting."""

from pyscrai.domain.errors import PyScrAIError


class PromptError(PyScrAIError, ValueError):
    """A prompt that cannot be read or rendered; `line` counts from 1, None where it is about the whole."""

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(f"line {line}: {message}" if line else message)
        self.message = message
        self.line = line
