"""What went wrong, in a sentence and an exit code. Never a value, never the locals of a trace."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable

import click

from ecs_sync.cli.calling import warn
from ecs_sync.errors import ConfigError, EcsSyncError
from ecs_sync.exits import Exit


def code_of(act: Callable[[], int], verbose: Callable[[], bool]) -> int:
    """Carries out; every way to fail becomes its exit code, and what is to be known of it is said."""
    try:
        return act()
    except click.UsageError as error:
        error.show(sys.stderr)
        return Exit.USAGE
    except click.ClickException as error:
        warn(f"ecs-sync: {error.format_message()}")
        return Exit.ERROR
    except (click.Abort, KeyboardInterrupt):
        warn("interrupted: nothing is lost, the next run of the job finishes what was under way")
        return Exit.INTERRUPTED
    except ConfigError as error:
        warn("\n".join(map(str, error.problems)) if error.problems else f"ecs-sync: {error}")
        return exit_of(error)
    except EcsSyncError as error:
        warn(f"ecs-sync: {error}")
        _trace(error, verbose())
        return exit_of(error)
    except BrokenPipeError:
        return Exit.DONE
    except OSError as error:
        about = f": {error.filename}" if isinstance(error.filename, str) else ""
        warn(f"ecs-sync: {error.strerror or type(error).__name__}{about}")
        _trace(error, verbose())
        return Exit.ERROR
    except Exception as error:  # noqa: BLE001 - the last one to know; a value in its text must not be shown
        where = traceback.extract_tb(error.__traceback__)[-1]
        hint = "" if verbose() else "; run it again with -v to see the way there"
        warn(
            f"ecs-sync: unexpected {type(error).__name__} in {_short(where.filename)}:{where.lineno}: "
            f"this is a mistake in ecs-sync, and nothing more was done{hint}"
        )
        _trace(error, verbose())
        return Exit.ERROR


def exit_of(error: EcsSyncError) -> Exit:
    """The exit code that an error of ours ends with."""
    return Exit.CONFIGURATION if isinstance(error, ConfigError) else Exit.ERROR


def _trace(error: BaseException, wanted: bool) -> None:
    """The way to an error: files, lines and functions, without texts, which may hold values."""
    if not wanted:
        return
    chain: list[BaseException] = []
    step: BaseException | None = error
    while step is not None and step not in chain:
        chain.append(step)
        step = step.__cause__ or (None if step.__suppress_context__ else step.__context__)
    for one in reversed(chain):
        for frame in traceback.extract_tb(one.__traceback__):
            warn(f"  {_short(frame.filename)}:{frame.lineno} in {frame.name}")
        warn(f"  {type(one).__name__}")


def _short(path: str) -> str:
    """A file's name from its package on."""
    return path.rpartition("/site-packages/")[2].rpartition("/src/")[2]
