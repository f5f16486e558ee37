"""The command line: `kinlib child`, `family`, `prepare`, `render`, `report`, `train`, `weights`.

Exit code 0, or 2 with one sentence that says what is wrong and what to do. Each command is a dataclass, from which tyro
makes the options; PyTorch is imported only by the commands that compute.
"""

import os
import sys

from kinlib.cli import machine
from kinlib.cli.arguments import parse
from kinlib.cli.children import ChildCommand, FamilyCommand
from kinlib.cli.prepare import PrepareCommand
from kinlib.cli.render import RenderCommand
from kinlib.cli.report import ReportCommand
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
    "family": FamilyCommand,
    "prepare": PrepareCommand,
    "render": RenderCommand,
    "report": ReportCommand,
    "weights": WeightsCommand,
}
HELP = {name: command.__doc__ for name, command in COMMANDS.items()} | {"train": "Train one of the bundled networks."}


def _run(arguments: list[str]) -> None:
    name = arguments[0] if arguments else "--help"
    if name in ("-h", "--help"):
        print("usage: kinlib COMMAND [options]; kinlib COMMAND --help tells the options\n")
        print("\n".join(f"  {command:10} {text.splitlines()[0]}" for command, text in HELP.items()))
    elif name == "train":
        _train(arguments[1:])
    elif name in COMMANDS:
        command = parse(COMMANDS[name], arguments[1:], f"kinlib {name}")
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
    try:
        _run(arguments)
        print(end="", flush=True)  # here, where a closed pipe is still ours to handle
    except KinlibError as problem:
        return _complain(str(problem))
    except (MemoryError, RuntimeError) as problem:
        if not machine.is_out_of_memory(problem):
            raise
        return _complain(machine.shortage(problem, _settings_of(arguments)))
    except BrokenPipeError:  # whoever read our output, `head` for instance, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as problem:  # a full disk, a folder that may not be entered
        where = f"'{problem.filename}': " if problem.filename else ""
        return _complain(f"{where}{problem.strerror or problem}")
    except KeyboardInterrupt:
        print("\nkinlib: stopped", file=sys.stderr)
        return STOPPED
    return 0


def _complain(sentence: str) -> int:
    """One line on stderr, whatever a file name in it may hold; returns the exit code."""
    print("kinlib: " + " ".join(sentence.splitlines()), file=sys.stderr)
    return 2
