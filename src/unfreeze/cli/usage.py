"""Mistakes in the use of a command, in our words: what was wanted, what was found, what to do.

The parser's errors are known by the names of their classes and by their attributes, since typer carries click inside
itself or not, by its version.
"""

import difflib
import re
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from unfreeze.core.wording import listed

# What people call commands elsewhere.
_OTHER_NAMES = MappingProxyType(
    {
        "train": "run",
        "start": "run",
        "fit": "run",
        "finetune": "tune",
        "fine-tune": "tune",
        "classify": "predict",
        "infer": "predict",
        "server": "serve",
        "web": "serve",
        "gui": "ui",
        "workbench": "ui",
        "embed": "codes",
        "features": "codes",
        "extract": "codes",
        "check": "inspect",
        "show": "report",
        "diff": "compare",
    }
)


@dataclass(frozen=True)
class _Use:
    """A command, and what is wrong with its use.

    Attributes:
        error: The parser's.
        arguments: What stands behind ``unfreeze``.
        path: What calls the command: ``unfreeze cache list``.
        command: The parser's command.
    """

    error: Any
    arguments: Sequence[str]
    path: str
    command: Any

    @property
    def name(self) -> str:
        """The command in a sentence."""
        return self.path.removeprefix("unfreeze ")

    @property
    def message(self) -> str:
        """The parser's words, which tell kinds of errors apart and are never shown."""
        return str(getattr(self.error, "message", ""))


def usage_sentence(error: Any, arguments: Sequence[str], program: Any) -> str:
    """What is wrong with the use of a command.

    Args:
        error: The parser's.
        arguments: What stands behind ``unfreeze``.
        program: The parser's command of the whole program.

    Returns:
        Sentences without any word of the parser.
    """
    path, command = _called(error, arguments, program)
    use = _Use(error, arguments, path, command)
    kinds: dict[str, Callable[[_Use], str]] = {
        "NoSuchOption": _no_such_option,
        "NoSuchCommand": _no_such_command,
        "MissingParameter": _missing,
        "BadParameter": _bad_value,
        "BadOptionUsage": _bad_option,
    }
    name = type(error).__name__
    if name == "UsageError" and use.message.startswith("No such command"):  # click before 8.4
        name = "NoSuchCommand"
    said = kinds.get(name, _other)(use)
    return said if name == "NoSuchCommand" and "Did you mean" in said else f"{said} See {path} --help."


def _called(error: Any, arguments: Sequence[str], program: Any) -> tuple[str, Any]:
    """What calls the command that an error is about, and the command; the parser does not always say it."""
    context = getattr(error, "ctx", None)
    if context is not None:
        return str(context.command_path), context.command
    path, command = "unfreeze", program
    for word in arguments:
        if word not in getattr(command, "commands", {}):
            break
        path, command = f"{path} {word}", command.commands[word]
    return path, command


def _no_such_option(use: _Use) -> str:
    known = [name[2:] for parameter in use.command.params for name in parameter.opts if name.startswith("--")]
    typed = str(use.error.option_name).lstrip("-").casefold()
    near = difflib.get_close_matches(typed, [*known, "help"], n=1, cutoff=0.7)
    proposal = f" Did you mean --{near[0]}?" if near else ""
    return f"{use.name} has no option {use.error.option_name}.{proposal}"


def _no_such_command(use: _Use) -> str:
    commands = list(use.command.commands)
    quoted = re.search(r"No such command (['\"])(.*?)\1", use.message)
    name = str(getattr(use.error, "command_name", quoted[2] if quoted else "")) or next(iter(use.arguments), "")
    if use.path == "unfreeze" and Path(name).expanduser().exists():
        rest = use.arguments[list(use.arguments).index(name) :] if name in use.arguments else [name]
        return f"There is no command {name}. Did you mean: {shlex.join(['unfreeze', 'run', *rest])}"
    near = difflib.get_close_matches(name.casefold(), [*commands, *_OTHER_NAMES], n=1)
    meant = _OTHER_NAMES.get(near[0], near[0]) if near else ""
    if meant in commands:
        return f"There is no command {name}. Did you mean: {use.path} {meant}"
    return f"There is no command {name}. The commands are {listed(commands)}."


def _missing(use: _Use) -> str:
    parameter = use.error.param
    return "Something is missing." if parameter is None else f"{_name(parameter)} is missing{_explained(parameter)}."


def _bad_value(use: _Use) -> str:
    parameter = use.error.param
    if parameter is None:
        return "A value cannot be used."
    found = _given(parameter, use.arguments)
    near = difflib.get_close_matches((found or "").casefold(), _choices(parameter), n=1)
    proposal = f" Did you mean {near[0]}?" if near else ""
    got = "" if found is None else f"; got {found!r}"
    return f"{_name(parameter)} takes {_wanted(parameter)}{got}.{proposal}"


def _bad_option(use: _Use) -> str:
    name = str(use.error.option_name)
    parameter = next((each for each in use.command.params if name in each.opts), None)
    if parameter is None or getattr(parameter, "is_flag", False):
        return f"{name} takes no value."
    return f"{name} needs a value{_explained(parameter)}."


def _other(use: _Use) -> str:
    many = re.search(r"unexpected extra arguments?(?:\(s\))? \((.*)\)", use.message)
    if many:
        takes = listed([_name(each) for each in use.command.params if each.param_type_name == "argument"])
        return f"{use.name} takes {takes or 'no argument'}; found {many[1]} besides. Put a name with spaces in quotes."
    if getattr(use.command, "commands", None):
        return f"{use.name} needs a command: {listed(list(use.command.commands))}."
    return f"This use of {use.name} is not understood."


def _name(parameter: Any) -> str:
    """As people type it: the name of an option, or the word that stands for an argument."""
    if parameter.param_type_name == "argument":
        return str(parameter.metavar or parameter.name.upper()).removesuffix("...")
    return str(next((name for name in parameter.opts if name.startswith("--")), parameter.opts[0]))


def _explained(parameter: Any) -> str:
    """The help of a parameter as a part of a sentence."""
    text = str(getattr(parameter, "help", None) or "").rstrip(".")
    if not text:
        return ""
    small = text[0].isalpha() and not text[1:2].isupper()
    return f": {text[0].lower() + text[1:] if small else text}"


def _choices(parameter: Any) -> list[str]:
    """The words that an option takes; none where it takes others, too."""
    kind = getattr(parameter, "type_descriptor", None) or parameter.type  # the second before typer 0.29
    return [str(getattr(choice, "value", choice)) for choice in getattr(kind, "choices", None) or ()]


def _range(parameter: Any) -> tuple[str, float | None, float | None]:
    """What kind of value an option takes, its least and its largest one."""
    described = getattr(parameter, "type_descriptor", None)
    if described is None:
        kind = parameter.type
        name, limits = str(getattr(kind, "name", "")).removesuffix(" range"), kind
    else:
        name, limits = {int: "integer", float: "float"}.get(described.annotation, ""), described.parameter_info
    noun = {"integer": "a whole number", "float": "a number"}.get(name, "another value")
    return noun, getattr(limits, "min", None), getattr(limits, "max", None)


def _wanted(parameter: Any) -> str:
    if choices := _choices(parameter):
        return f"one of {', '.join(choices)}"
    noun, low, high = _range(parameter)
    if low is not None and high is not None:
        return f"{noun} from {low:g} to {high:g}"
    return noun if low is None else f"{noun} of at least {low:g}"


def _given(parameter: Any, arguments: Sequence[str]) -> str | None:
    """The last value that was typed for an option; None where that is not known."""
    found = None
    for place, word in enumerate(arguments):
        name, equals, value = word.partition("=")
        if name in parameter.opts:
            found = value if equals else next(iter(arguments[place + 1 :]), None)
    return found
