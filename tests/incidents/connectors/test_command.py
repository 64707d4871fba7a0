"""A command gets exactly what it was given, and is judged by its exit code. Real processes."""

import json
import resource
import sys
import time

import pytest

from incidents.connectors import command
from incidents.connectors.base import Limits
from tests.incidents.connectors.given import SECRET, a_command, a_job, a_run, always

TELL_ARGV = "import json, sys; print(json.dumps(sys.argv[1:]))"
TELL_ENV = "import json, os; print(json.dumps(dict(os.environ)))"
ANY_TEXT = {"value": {"pattern": "(?s).*", "max_length": 500}}

METACHARACTERS = [
    "; touch /tmp/pwned", "&& id", "|| id", "| cat /etc/passwd", "$(id)", "`id`", "${HOME}", "$HOME", "> /tmp/pwned",
    "< /etc/passwd", "&", "*", "?", "~", "~root", "[a-z]", "{a,b}", "{value}", "#", "!!", "%s%n", "\\", "\\n", "'", '"',
    "' ; id ; '", '" ; id ; "', "a b  c", "\t", "\n", "\r\n", "line\nbreak; id", "a -rf /", "x --help", "=",
    "@/etc/passwd", "é", "\u202e", "😀", "\x1b[31m", "", "(id)", "^", "x\u2028y",
    "$IFS", "${IFS}id", "$'\\n'id", "<(id)", ">(id)", "2>&1", "; :(){ :|:& };:", "a;b", "\x7f", "\x01",
    "/dev/tcp/127.0.0.1/1", "%PATH%", "^&id", "x\vy", "\u00a0--help", "＄（id）", "‐rf", "a=b c=d", "\\\\host\\share",
    "*/../*",
]  # fmt: skip


@pytest.mark.thorough(keep=6)
@pytest.mark.parametrize("value", METACHARACTERS)
def test_every_character_of_an_argument_arrives_as_it_is_in_one_piece(value):
    limits = a_command(sys.executable, "-c", TELL_ARGV, "{value}", "--it={value}", arguments=ANY_TEXT)

    outcome = command.run(a_run(arguments={"value": value}), limits, always)

    assert outcome.state == "succeeded"
    assert json.loads(outcome.output) == [value, f"--it={value}"]


@pytest.mark.parametrize("value", ["-rf", "--kubeconfig=/tmp/evil", "-", "--", "a\0b", "\ud800"])
def test_an_argument_that_a_program_could_misread_runs_nothing(value):
    limits = a_command(sys.executable, "-c", TELL_ARGV, "{value}", arguments=ANY_TEXT)

    outcome = command.run(a_run(arguments={"value": value}), limits, always)

    assert (outcome.state, outcome.detail, outcome.output) == ("failed", {"reason": "settings"}, "")
    assert outcome.sentence.startswith("Nothing was run. The argument 'value' must not")


def test_the_environment_is_what_is_listed_and_nothing_else(monkeypatch):
    monkeypatch.setenv("KUBECONFIG", "/srv/kube")
    monkeypatch.setenv("DATABASE_URL", "postgres://portal:topsecret@db/lastgood")
    monkeypatch.setenv("LD_PRELOAD_CANARY", "1")
    limits = a_command(sys.executable, "-I", "-c", TELL_ENV, env=["KUBECONFIG", "NOT_SET_HERE"])
    job = a_run()

    outcome = command.run(job, limits, always)

    told = json.loads(outcome.output)
    told.pop("LC_CTYPE", None)  # Python adds it to itself
    assert told == {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "LANG": "C.UTF-8",
        "KUBECONFIG": "/srv/kube",
        "LASTGOOD_ATTEMPT_ID": str(job.attempt_id),
        "LASTGOOD_IDEMPOTENCY_KEY": "RB-2026-0007.api-rollback.1",
        "LASTGOOD_EPOCH": "3",
        "LASTGOOD_FENCE": "12",
        "LASTGOOD_INCIDENT": "RB-2026-0007",
        "LASTGOOD_ACTION": "api-rollback",
        "LASTGOOD_PRODUCT": "portarium",
        "LASTGOOD_TARGET": "4f1c2d9",
    }


def test_a_secret_reaches_the_program_and_no_record():
    script = f"import os; print(os.environ['LASTGOOD_SECRET'] == {SECRET!r}, os.environ['LASTGOOD_SECRET'])"
    limits = a_command(sys.executable, "-c", script)

    outcome = command.run(a_run(secret=SECRET), limits, always)

    assert outcome.output == "True [masked]\n"
    assert SECRET not in repr(outcome)


def test_a_passed_on_variable_that_is_named_like_a_secret_is_masked_too(monkeypatch):
    monkeypatch.setenv("DEPLOY_TOKEN", "tok-1234567890")
    limits = a_command("/usr/bin/env", env=["DEPLOY_TOKEN"])

    outcome = command.run(a_run(), limits, always)

    assert "DEPLOY_TOKEN=[masked]\n" in outcome.output
    assert "tok-1234567890" not in outcome.output


def test_a_secret_that_is_written_in_two_pieces_is_masked():
    script = (
        "import os, sys, select\n"
        "secret = os.environ['LASTGOOD_SECRET'].encode()\n"
        "os.write(1, b'a ' + secret[:7])\n"
        "select.select([], [], [], 0.2)\n"
        "os.write(2, secret[7:] + b' z')\n"
    )

    outcome = command.run(a_run(secret=SECRET), a_command(sys.executable, "-c", script), always)

    assert outcome.output == "a [masked] z"


def test_the_program_has_no_input_no_terminal_and_no_descriptor_of_ours():
    script = (
        "import os, sys, json\n"
        "try: os.open('/dev/tty', os.O_RDWR); tty = True\n"
        "except OSError: tty = False\n"
        "print(json.dumps([sys.stdin.read(), tty, sorted(os.listdir('/proc/self/fd'))]))"
    )

    outcome = command.run(a_run(), a_command(sys.executable, "-c", script), always)

    assert json.loads(outcome.output) == ["", False, ["0", "1", "2", "3"]]  # 3 reads the folder


def test_the_program_runs_in_its_folder_and_within_its_limits(tmp_path):
    script = (
        "import os, json, resource as r\n"
        "print(json.dumps([os.getcwd(), *map(r.getrlimit, (r.RLIMIT_CORE, r.RLIMIT_NOFILE, r.RLIMIT_CPU))]))"
    )
    limits = a_command(sys.executable, "-c", script, cwd=str(tmp_path), rlimits={"NOFILE": 64, "CPU": 7})

    outcome = command.run(a_run(), limits, always)

    assert json.loads(outcome.output) == [str(tmp_path), [0, 0], [64, 64], [7, 7]]


def test_a_program_that_wants_too_much_memory_is_refused_it():
    script = "bytearray(512 << 20)"
    limits = a_command(sys.executable, "-c", script, rlimits={"AS": 256 << 20})

    outcome = command.run(a_run(), limits, always)

    assert (outcome.state, outcome.detail["exit_code"]) == ("failed", 1)
    assert outcome.output.endswith("MemoryError\n")


def test_a_limit_never_raises_the_one_that_is_already_there():
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    script = "import resource as r; print(r.getrlimit(r.RLIMIT_NOFILE)[1])"

    outcome = command.run(a_run(), a_command(sys.executable, "-c", script, rlimits={"NOFILE": hard + 1}), always)

    assert outcome.output == f"{hard}\n"


@pytest.mark.parametrize(
    ("script", "state", "sentence", "detail"),
    [
        ("exit 0", "succeeded", "it ended with exit code 0.", {"reason": "exited", "exit_code": 0}),
        ("exit 3", "failed", "it ended with exit code 3.", {"reason": "exited", "exit_code": 3}),
        ("exit 127", "failed", "it ended with exit code 127.", {"reason": "exited", "exit_code": 127}),
        ("kill -SEGV $$", "failed", "it was ended by SIGSEGV.", {"reason": "signal", "signal": 11}),
        ("kill -9 $$", "failed", "it was ended by SIGKILL.", {"reason": "signal", "signal": 9}),
    ],
)
def test_the_exit_code_decides(script, state, sentence, detail):
    outcome = command.run(a_run(), a_command("/bin/sh", "-c", script), always)

    assert (outcome.state, outcome.sentence) == (state, sentence)
    assert {key: outcome.detail[key] for key in detail} == detail


def test_what_cannot_be_executed_has_failed_and_says_so(tmp_path):
    program = tmp_path / "program"
    program.write_text("#!/no/such/interpreter\n")
    program.chmod(0o755)

    outcome = command.run(a_run(), a_command(str(program)), always)

    assert (outcome.state, outcome.sentence) == (
        "failed",
        "Nothing was run: it could not be started (No such file or directory).",
    )


def test_an_attempt_that_was_taken_back_runs_nothing(tmp_path):
    made = tmp_path / "made"

    outcome = command.run(a_run(), a_command("/usr/bin/touch", str(made)), lambda: False)

    assert (outcome.state, outcome.detail["reason"], made.exists()) == ("not_sent", "not_ours", False)


@pytest.mark.faults
def test_a_gigabyte_of_output_is_kept_as_head_and_tail_with_a_digest_of_all():
    limits = a_command("/usr/bin/head", "-c", str(1 << 30), "/dev/zero", timeout_seconds=90)
    began = time.monotonic()

    outcome = command.run(a_run(deadline_seconds=90, secret=SECRET), limits, always)

    assert (outcome.state, outcome.output_bytes, outcome.output_dropped) == ("succeeded", 1 << 30, (1 << 30) - 262_144)
    assert outcome.output_sha256 == "49bc20df15e412a64472421e13fe86ff1c5165e18b2afccf160d4dc19fe68a14"
    assert len(outcome.output) <= 262_144 + 50
    assert time.monotonic() - began < 60


def test_the_fixed_arguments_of_the_connector_cannot_be_changed_by_an_action():
    limits = a_command(
        "/bin/echo", "{space}", "{rev}", arguments={"space": {"pattern": "[a-z]+"}, "rev": {"pattern": "[0-9]+"}}
    )
    config = {"command": "it", "arguments": {"space": "prod"}}

    allowed = command.run(a_job(config=config, arguments={"rev": "41"}), limits, always)
    refused = command.run(a_job(config=config, arguments={"rev": "41", "space": "staging"}), limits, always)

    assert (allowed.state, allowed.output) == ("succeeded", "prod 41\n")
    assert (refused.state, refused.sentence) == (
        "failed",
        "Nothing was run. The argument 'space' is fixed by the connector.",
    )


def test_a_declared_target_is_filled_from_the_job_and_must_have_its_form():
    limits = a_command("/bin/echo", "{target}", arguments={"target": {"pattern": "[0-9a-f]{7,40}"}})

    assert command.run(a_run(), limits, always).output == "4f1c2d9\n"
    assert command.run(a_run(target="4f1c2d9; id"), limits, always).sentence == (
        "Nothing was run. The argument 'target' does not have the form that the settings ask for."
    )


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        ({}, "None is not in LASTGOOD_COMMANDS; the operator has to add it there."),
        ({"command": "other"}, "'other' is not in LASTGOOD_COMMANDS; the operator has to add it there."),
        ({"command": ["it"]}, "['it'] is not in LASTGOOD_COMMANDS; the operator has to add it there."),
        ({"command": "it", "argv": ["/bin/sh"]}, "There is no setting 'argv' here; it takes arguments, command."),
        ({"command": "it", "arguments": []}, "arguments must be an object of texts."),
        ({"command": "it", "arguments": {"x": "1"}}, "it has no argument 'x'."),
        (
            {"command": "it", "arguments": {"rev": "x"}},
            "The argument 'rev' does not have the form that the settings ask for.",
        ),
    ],
)
def test_check_says_what_is_wrong_before_anything_runs(config, problem):
    limits = a_command("/bin/echo", "{rev}", arguments={"rev": {"pattern": "[0-9]+"}})

    assert command.check(config, limits) == [problem]


def test_nothing_runs_that_the_settings_do_not_name():
    outcome = command.run(a_run(), Limits(), always)

    assert (outcome.state, outcome.detail) == ("failed", {"reason": "settings"})


def test_text_that_no_program_can_be_given_runs_nothing():
    outcome = command.run(a_run(target="a\0b"), a_command("/bin/true"), always)

    assert (outcome.state, outcome.detail) == ("failed", {"reason": "settings"})
