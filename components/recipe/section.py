"""What all settings are made of."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]
MODEL_NAME = r"""^[^./:'"\\\x00-\x1f][^/:'"\\\x00-\x1f]{0,199}$"""
"""A registered model's name is a folder on the store, a word in a filter, and a name that MLflow takes."""
ModelName = Annotated[str, StringConstraints(pattern=MODEL_NAME)]


def _nothing_is_required(schema: dict[str, Any]) -> None:
    """For a form: a preset fills what is not given, so a section with one field is whole. Reading it still tells what lacks."""
    schema.pop("required", None)


class Section(BaseModel):
    """Base of all settings: unknown fields are refused, nothing changes after reading."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
        serialize_by_alias=True,
        json_schema_extra=_nothing_is_required,
    )
