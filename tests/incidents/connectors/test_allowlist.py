"""LASTGOOD_COMMANDS: what the operator may write there, and what an argument may be."""

import time

import pytest

from incidents.connectors import allowlist
from incidents.connectors.base import Limits

ECHO = "/bin/echo"
NAMED = {"argv": [ECHO, "{name}"], "arguments": {"name": {"pattern": "[a-z]+", "max_length": 5}}}


def found(entry):
    return allowlist.find("it", Limits(commands={"it": entry}))


def test_a_complete_entry_is_read():
    entry = NAMED | {"env": ["KUBECONFIG"], "cwd": "/tmp", "timeout_seconds": 5, "rlimits": {"CPU": 9, "AS": 1 << 30}}

    command = found(entry)

    assert (command.env, command.cwd, command.timeout_seconds) == (("KUBECONFIG",), "/tmp", 5.0)
    assert command.rlimits == {"CORE": 0, "NOFILE": 4096, "FSIZE": 64 << 30, "AS": 1 << 30, "CPU": 9}
    assert command.filled({"name": "abc"}) == [ECHO, "abc"]


@pytest.mark.parametrize(
    ("entry", "part"),
    [
        ("echo", "must be an object"),
        ({}, "needs argv, a list of texts"),
        ({"argv": "echo hi"}, "needs argv, a list of texts"),
        ({"argv": []}, "needs argv, a list of texts"),
        ({"argv": [ECHO, 1]}, "needs argv, a list of texts"),
        ({"argv": ["echo"]}, "must begin with the absolute path of a program"),
        ({"argv": ["./echo"]}, "must begin with the absolute path of a program"),
        ({"argv": ["/bin/{name}"], "arguments": {"name": {"pattern": "x"}}}, "must begin with the absolute path"),
        ({"argv": ["/bin/no-such-program"]}, "names /bin/no-such-program, which is not a program"),
        ({"argv": ["/etc/passwd"]}, "names /etc/passwd, which is not a program"),
        ({"argv": ["/bin"]}, "names /bin, which is not a program"),
        ({"argv": [ECHO, "{name}"]}, "uses {name} without describing it"),
        ({"argv": [ECHO], "arguments": {"name": {"pattern": "x"}}}, "describes 'name', which argv does not use"),
        (NAMED | {"arguments": []}, "needs arguments to be an object"),
        (NAMED | {"arguments": {"name": {}}}, "takes either a pattern or choices"),
        (NAMED | {"arguments": {"name": {"pattern": "x", "choices": ["x"]}}}, "takes either a pattern or choices"),
        (NAMED | {"arguments": {"name": {"pattern": "x", "shell": True}}}, "takes either a pattern or choices"),
        (NAMED | {"arguments": {"name": {"pattern": "("}}}, "has a pattern that is no regular expression"),
        (NAMED | {"arguments": {"name": {"pattern": 5}}}, "has a pattern that is no regular expression"),
        (NAMED | {"arguments": {"name": {"choices": []}}}, "needs choices to be a list of texts"),
        (NAMED | {"arguments": {"name": {"choices": "abc"}}}, "needs choices to be a list of texts"),
        (NAMED | {"arguments": {"name": {"choices": ["a\0"]}}}, "needs choices to be a list of texts"),
        (NAMED | {"arguments": {"name": {"pattern": "x", "max_length": 0}}}, "needs a max_length of at least 1"),
        (NAMED | {"arguments": {"name": {"pattern": "x", "max_length": "5"}}}, "needs a max_length of at least 1"),
        (NAMED | {"shell": True}, "has no setting 'shell'"),
        (NAMED | {"env": "PATH"}, "needs env to be a list of variable names"),
        (NAMED | {"env": ["A=B"]}, "needs env to be a list of variable names"),
        (NAMED | {"cwd": "work"}, "needs cwd to be the absolute path of a folder that exists, not 'work'"),
        (NAMED | {"cwd": "/no/such/folder"}, "needs cwd to be the absolute path of a folder that exists"),
        (NAMED | {"timeout_seconds": 0}, "needs timeout_seconds above 0"),
        (NAMED | {"timeout_seconds": True}, "needs timeout_seconds above 0"),
        (NAMED | {"rlimits": {"MOON": 1}}, "needs rlimits to be whole numbers"),
        (NAMED | {"rlimits": {"AS": "1G"}}, "needs rlimits to be whole numbers"),
        ({**NAMED, "argv": ["/bin/sh", "-c", "echo {name}"]}, "has a placeholder inside a shell script"),
        ({**NAMED, "argv": ["/usr/bin/env", "bash", "-lc", "echo {name}"]}, "has a placeholder inside a shell script"),
    ],
)
def test_an_entry_that_cannot_be_used_says_why(entry, part):
    problems = allowlist.problems(Limits(commands={"it": entry}))

    assert problems
    assert problems[0].startswith("LASTGOOD_COMMANDS['it'] ")
    assert part in problems[0]
    with pytest.raises(ValueError, match="LASTGOOD_COMMANDS"):
        found(entry)


def test_a_value_may_be_handed_to_a_shell_script_as_its_own_item():
    entry = NAMED | {"argv": ["/bin/sh", "-c", 'echo "$1"', "it", "{name}"]}

    assert allowlist.problems(Limits(commands={"it": entry})) == []


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("abc", []),
        ("abcdef", ["The argument 'name' must not be longer than 5 characters."]),
        ("ABC", ["The argument 'name' does not have the form that the settings ask for."]),
        ("abc\n", ["The argument 'name' does not have the form that the settings ask for."]),
        ("", ["The argument 'name' does not have the form that the settings ask for."]),
        ("a\0b", ["The argument 'name' must not contain NUL or broken characters."]),
        ("a\ud800", ["The argument 'name' must not contain NUL or broken characters."]),
        ("-rf", ["The argument 'name' must not begin with a dash, which a program reads as an option."]),
        (5, ["The argument 'name' must be text."]),
        (None, ["The argument 'name' must be text."]),
    ],
)
def test_an_argument_must_have_the_form_of_its_schema(value, problem):
    assert found(NAMED).problems({"name": value}) == problem


def test_arguments_must_be_all_there_and_no_others():
    assert found(NAMED).problems({"nam": "x"}) == ["it has no argument 'nam'.", "it needs the argument 'name'."]


def test_a_choice_of_the_operator_may_be_an_option():
    entry = NAMED | {"arguments": {"name": {"choices": ["--soft", "--hard"]}}}

    assert found(entry).problems({"name": "--hard"}) == []
    assert found(entry).problems({"name": "--force"}) == ["The argument 'name' must be one of --soft, --hard."]


def test_a_value_that_looks_like_a_placeholder_stays_text():
    entry = {
        "argv": [ECHO, "{first}", "--x={second}", "{}", "{Third}"],
        "arguments": {"first": {"pattern": ".*"}, "second": {"pattern": ".*"}},
    }

    assert found(entry).filled({"first": "{second}", "second": "{first}"}) == [
        ECHO, "{second}", "--x={first}", "{}", "{Third}",
    ]  # fmt: skip


def test_an_overlong_value_never_meets_a_pattern():
    entry = NAMED | {"arguments": {"name": {"pattern": "(a+)+", "max_length": 20}}}
    began = time.monotonic()

    assert found(entry).problems({"name": "a" * 100_000 + "!"})
    assert time.monotonic() - began < 1
