"""The words of the command line: what was probably meant, examples for `--help`, completion for bash and zsh."""

import argparse
import re
from difflib import get_close_matches

EXAMPLES = {
    "": "./run.sh demo                        a first look, nothing needed\n"
    "./run.sh check                       is everything as it must be\n"
    "./run.sh status --watch              what it does now\n"
    "./run.sh stop --flatten              end, with nothing left open",
    "run": "./run.sh run                         until Ctrl-C\n"
    "./run.sh run --duration 60           a minute, then flat, with a table\n"
    "./run.sh run --plain                 lines instead of the live view",
    "status": "./run.sh status --watch\n./run.sh status --json | jq .result.today",
    "check": "./run.sh check\n./run.sh check --sign                also one signed noop, while nothing runs",
    "stop": "./run.sh stop                        entries end, positions keep their stops\n"
    "./run.sh stop --flatten --timeout 60",
    "flatten": "./run.sh flatten xyz:GOLD\n./run.sh flatten",
    "explain": "./run.sh explain 00000000014c        the last digits, as the log shows them",
    "latch": './run.sh latch reset --reason "the feed was stale; fixed"',
    "accept": "./run.sh accept                      the next items\n./run.sh accept 7\n./run.sh accept --report",
    "exchange": "./run.sh exchange --port 3001 --seed 7\n./run.sh exchange --state books.json --speed 10\n"
    "./run.sh exchange snapshot before.json      of the one on port 3001\n"
    "./run.sh exchange restore before.json",
    "report": "./run.sh report --days 7             reports/report.html\n"
    "./run.sh report --by market --csv   a table, and no file",
    "simulate": "./run.sh simulate --seeds 20\n./run.sh simulate --seed 17",
    "completion": 'eval "$(./run.sh completion bash)"',
}
"""By command, "" for all of them."""


def epilog(command: str) -> str | None:
    """The examples of a command's help."""
    found = EXAMPLES.get(command)
    return None if found is None else "examples:\n" + "\n".join(f"  {line}" for line in found.splitlines())


def all_commands(top: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """Name -> its parser."""
    for action in top._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    return {}


def options(parser: argparse.ArgumentParser) -> list[str]:
    """The long options of a command."""
    return [o for a in parser._actions for o in a.option_strings if o.startswith("--")]


def clearer(message: str, known: list[str]) -> str:
    """argparse's complaint with what was probably meant; `known`: commands, or options of the command."""
    wrong = re.search(r"invalid choice: '([^']*)' \(choose from", message)
    if wrong is not None:
        return _unknown(f"there is no {_kind(message)} {wrong[1]}", wrong[1], known)
    extra = re.match(r"unrecognized arguments: (\S+)", message)
    return message if extra is None else _unknown(f"unknown: {extra[1]}", extra[1], known)


def _kind(message: str) -> str:
    return "command" if message.startswith("argument COMMAND") else "choice"


def _unknown(text: str, wrong: str, known: list[str]) -> str:
    near = get_close_matches(wrong, known, 1, 0.5)
    return f"{text}; did you mean {near[0]}?" if near else f"{text}; --help lists what there is"


def completion(top: argparse.ArgumentParser, shell: str) -> str:
    """A script for the shell that completes commands and their options, of `./run.sh` and `hip3` alike."""
    commands = all_commands(top)
    cases = "\n".join(f"    {name}) words='{' '.join(options(p))}' ;;" for name, p in commands.items())
    names = " ".join(commands)
    head = "#compdef hip3 run.sh\nautoload -U +X bashcompinit && bashcompinit\n" if shell == "zsh" else ""
    return f"""{head}_hip3() {{
  local words='{names}' current="${{COMP_WORDS[COMP_CWORD]}}"
  if [ "$COMP_CWORD" -gt 1 ]; then
    case "${{COMP_WORDS[1]}}" in
{cases}
    *) words='' ;;
    esac
  fi
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}}
complete -F _hip3 hip3 ./run.sh run.sh
"""
