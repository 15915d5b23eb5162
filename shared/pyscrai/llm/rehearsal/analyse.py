from typing import Any
from pyscrai.llm.rehearsal.reading import Sheet
def check(sheet: Sheet, seed: int, schema: dict[str, Any]) -> dict[str, Any]:
    return {}
def measure(sheet: Sheet, seed: int, schema: dict[str, Any]) -> dict[str, Any]:
    return {}
