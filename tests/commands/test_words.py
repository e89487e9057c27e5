"""The words of the command line: what was meant, examples, completion."""

import subprocess

import pytest

from hip3 import cli
from hip3.commands.words import EXAMPLES, all_commands, completion


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("statsu", "status"), ("stats", "status"), ("flaten", "flatten"), ("chek", "check"), ("cancelall", "cancel-all"),
     ("status --wach", "--watch"), ("stop --flaten", "--flatten"), ("run --duraton 5", "--duration")],
)  # fmt: skip
def test_a_typo_is_answered_by_what_was_meant(typed: str, meant: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(typed.split())
    said = capsys.readouterr().err
    assert ended.value.code == 2
    assert f"did you mean {meant}?" in said
    assert said.count("\n") == 1, "one sentence"


def test_what_resembles_nothing_is_told_where_to_look(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["zzzzzzzz"])
    assert "--help" in capsys.readouterr().err


def test_examples_are_of_commands_that_exist_and_parse() -> None:
    commands = all_commands(cli.parser())
    assert set(EXAMPLES) - {""} <= set(commands)
    for text in EXAMPLES.values():
        for line in text.splitlines():
            words = line.partition("   ")[0].partition(" | ")[0].removeprefix("./run.sh ").split()
            if '"' not in line:
                cli.parser().parse_args(words)


def test_every_command_says_what_it_does(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["--help"])
    assert ended.value.code == 0
    told = capsys.readouterr().out
    assert "examples:" in told
    assert all(name in told for name in all_commands(cli.parser()))


def test_completion_completes() -> None:
    script = completion(cli.parser(), "bash")

    def complete(*words: str) -> set[str]:
        typed = " ".join(f"'{w}'" for w in words)
        tail = f"COMP_WORDS=({typed}); COMP_CWORD={len(words) - 1}; _hip3; echo ${{COMPREPLY[*]}}"
        done = subprocess.run(["bash", "-c", script + tail], capture_output=True, text=True, timeout=10, check=True)
        return set(done.stdout.split())

    assert complete("hip3", "sta") == {"status"}
    assert complete("hip3", "status", "--w") == {"--watch"}
    assert complete("hip3", "stop", "--") == {"--help", "--flatten", "--cancel", "--leave", "--timeout"}
    assert complete("hip3", "nothing", "--") == set()
    assert "compinit" in completion(cli.parser(), "zsh")
