"""For schemathesis: each request comes from an address of its own, so that none asks too often."""

import itertools

import schemathesis
from schemathesis import Case, HookContext

_numbers = itertools.count(1)


@schemathesis.hook
def before_call(context: HookContext, case: Case, kwargs: dict[str, object]) -> None:
    """The hub is told that it stands behind a proxy."""
    del context, kwargs
    number = next(_numbers)
    told = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
    case.headers = {**(case.headers or {}), "X-Forwarded-For": told}
