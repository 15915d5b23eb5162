"""The one name under which a model has its price."""

from __future__ import annotations

from pyscrai.domain.model_names import UnknownModel, parse


def canonical_name(model: str) -> str:
    """The canonical id of a model, or the name itself where it says none."""
    try:
        return str(parse(model))
    except UnknownModel:
        return model
