"""The command line: `kinlib child`, `couples`, `demo`, `edit`, `family`, `pool`, `prepare`, `rate`, `render`, `report`,
`score`, `search`, `train`, `weights`.

Exit code 0, or 2 with one sentence that says what is wrong and what to do. Each command is a dataclass, from which tyro
makes the options; PyTorch is imported only by the commands that compute.
"""

import contextlib
import os
import sys

from kinlib import __version__
from kinlib.cli import machine
from kinlib.cli.arguments import parse
from kinlib.cli.children import ChildCommand, FamilyCommand, with_method_options
from kinlib.cli.couples import CouplesCommand
from kinlib.cli.demo import DemoCommand
from kinlib.cli.edit import EditCommand
from kinlib.cli.pool import PoolCommand
from kinlib.cli.prepare import PrepareCommand
from kinlib.cli.rate import RateCommand
from kinlib.cli.render import RenderCommand
from kinlib.cli.report import ReportCommand
from kinlib.cli.score import ScoreCommand
from kinlib.cli.search import SearchCommand
from kinlib.cli.weights import WeightsCommand
from kinlib.runtime.errors import KinlibError

__all__ = ["main"]

STOPPED = 130  # exit code after Ctrl-C, as shells have it


def _train(arguments: list[str]) -> None:
    from kinlib.training.recipes import registry

    name = arguments[0] if arguments else "--help"
    if name in ("-h", "--help"):
        print("usage: kinlib train NAME [options]; NAME is one of " + ", ".join(registry.RECIPES))
        return
    settings = parse(registry.settings_of(name), arguments[1:], f"kinlib train {name}")
    if settings is not None:
        machine.check_device(getattr(settings, "device", None))
        registry.train(name, settings)


COMMANDS: dict[str, type] = {
    "child": ChildCommand,
    "couples": CouplesCommand,
    "demo": DemoCommand,
    "edit": EditCommand,
    "family": FamilyCommand,
    "pool": PoolCommand,
    "prepare": PrepareCommand,
    "rate": RateCommand,
    "render": RenderCommand,
    "report": ReportCommand,
    "score": ScoreCommand,
    "search": SearchCommand,
    "weights": WeightsCommand,
}
HELP = {name: command.__doc__ for name, command in COMMANDS.items()} | {"train": "Train one of the bundled networks."}


def _run(arguments: list[str]) -> None:
    name = arguments[0] if arguments else "--help"
    if name in ("-h", "--help"):
        print("usage: kinlib COMMAND [options]; kinlib COMMAND --help lists the options\n")
        print("\n".join(f"  {command:10} {text.splitlines()[0]}" for command, text in HELP.items()))
    elif name == "--version":
        print(f"kinlib {__version__}")
    elif name == "train":
        _train(arguments[1:])
    elif name in COMMANDS:
        command = parse(with_method_options(COMMANDS[name]), arguments[1:], f"kinlib {name}")
        if command is not None:
            command.run()
    else:
        raise KinlibError(f"unknown command '{name}': choose one of {', '.join(HELP)}")


def _settings_of(arguments: list[str]) -> type | None:
    """The dataclass of a command's options; None for what is no command."""
    if arguments[:1] == ["train"] and len(arguments) > 1:
        from kinlib.training.recipes import registry

        return registry.settings_of(arguments[1])
    return COMMANDS.get(arguments[0]) if arguments else None


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    _prepare_streams()
    try:
        _run(arguments)
        print(end="", flush=True)  # here, where a closed pipe can still be handled
    except KinlibError as problem:
        return _complain(str(problem))
    except (MemoryError, RuntimeError) as problem:
        if not machine.is_out_of_memory(problem):
            raise
        return _complain(machine.shortage(problem, _settings_of(arguments)))
    except BrokenPipeError:  # the reader of the output, `head` for instance, has ended
        _drop_unwritten()
    except OSError as problem:  # a full disk, a folder that may not be entered
        where = f"'{problem.filename}': " if problem.filename else ""
        return _complain(f"{where}{problem.strerror or problem}")
    except KeyboardInterrupt:
        _say("\nkinlib: stopped")
        return STOPPED
    return 0


def _complain(sentence: str) -> int:
    """One line on stderr, whatever a file name in it may hold; returns the exit code."""
    _say("kinlib: " + " ".join(sentence.splitlines()))
    return 2


def _say(line: str) -> None:
    with contextlib.suppress(OSError):
        print(line, file=sys.stderr, flush=True)
    _drop_unwritten()


def _prepare_streams() -> None:
    """Make printing safe: into closed streams (`2>&-`), and of names that the output's encoding cannot hold."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115 (until the program ends)
        if hasattr(getattr(sys, name), "reconfigure"):
            getattr(sys, name).reconfigure(errors="backslashreplace")


def _drop_unwritten() -> None:
    """Send what cannot be written (a closed pipe, a full disk) nowhere, or Python would fail on it when it exits."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
