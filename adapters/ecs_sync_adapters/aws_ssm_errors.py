"""What SSM answers, and what it refuses in its own terms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ecs_sync_adapters import aws_errors
from ecs_sync_adapters.aws_errors import Failure, Shape, in_terms

PARAMETERS = Shape(("Parameters",), ("Name", "Version", "LastModifiedDate"))
TAGS = Shape(("TagList",), ("Key", "Value"))
PUT = Shape(("Version",))
DELETED = Shape(("DeletedParameters",))


def ask(operation: Callable[..., Any], shape: Shape, **request: Any) -> Any | Failure:
    """The answer of one call, or its failure, in a sentence that quotes no value."""
    answer = aws_errors.ask(operation, shape, **request)
    return in_terms(answer, _REFUSED) if isinstance(answer, Failure) else answer


_SHAPE = (
    "SSM does not take the request: look at the value's size for its tier, that it is not empty and "
    "holds no '{{', and at the name"
)
_REFUSED = {
    "ValidationException": _SHAPE,
    "ParamValidation": _SHAPE,
    "HierarchyTypeMismatchException": (
        "SSM cannot change a parameter's type: delete it, wait 30 seconds, and let it be created again"
    ),
    "HierarchyLevelLimitExceededException": "the name has more than 15 levels",
    "InvalidAllowedPatternException": "the allowed pattern is not a regular expression SSM takes",
    "InvalidKeyId": "the KMS key is missing, disabled or not usable: check kms_key and the key's policy",
    "ParameterLimitExceeded": "this account and region hold no more parameters: raise the quota or the tier",
    "ParameterMaxVersionLimitExceeded": (
        "its oldest version carries a label, so SSM keeps no further one: move the label to a newer version"
    ),
    "ParameterPatternMismatchException": "the value does not match the parameter's allowed pattern",
    "UnsupportedParameterType": "SSM does not know the parameter's type",
}
