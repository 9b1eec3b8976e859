"""Functions of numbers as machine code.

For what runs in every period of the safety filter, on arrays so small that a call of NumPy costs more than its work.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

_LOG = logging.getLogger(__name__)
Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(signature: str) -> Callable[[Function], Function]:
    """Compiles a function as soon as it is defined. signature: its types as numba writes them.

    What was compiled once is kept beside the module, or in the user's cache, or where NUMBA_CACHE_DIR says, until the
    module changes. Where nothing can be written, or what is there is broken, it is compiled in every process, which
    takes some seconds. NUMBA_DISABLE_JIT=1 leaves it as it is, to look into it with a debugger.
    """

    def compile_it(function: Function) -> Function:
        try:
            made = numba.njit(signature, cache=True)(function)
        except Exception as error:  # whatever a cache is broken by, an arm must not stay where it is for that
            made = numba.njit(signature)(function)
            _LOG.warning(
                "%s.%s is compiled at every start, which takes some seconds, because what was compiled can be neither "
                "read nor written (%s): delete the *.nbi and *.nbc files, or let NUMBA_CACHE_DIR name a folder that "
                "can be written", function.__module__, function.__name__, error,
            )  # fmt: skip
        return cast(Function, made)

    return compile_it
