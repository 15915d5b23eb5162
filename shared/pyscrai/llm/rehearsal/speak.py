from typing import Any
from pyscrai.llm.rehearsal.reading import Sheet
def speak(sheet: Sheet, seed: int, schema: dict[str, Any]) -> dict[str, Any]:
    return {}
