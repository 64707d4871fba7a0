"""What a pipeline asks, read strictly: a misspelt `enforce` must not turn a gate into a question."""

from __future__ import annotations

from urllib.parse import parse_qsl

from django.http import HttpRequest

from incidents.freeze_check import Operation, Question

PARAMETERS = {"operation": 20, "subject": 200, "labels": 2000, "actor": 254, "environment": 100, "enforce": 1}


class Misasked(Exception):
    """The question has a wrong or unknown parameter."""

    def __init__(self, name: str, sentence: str) -> None:
        super().__init__(sentence)
        self.name = name


def parameters(request: HttpRequest, known: frozenset[str]) -> dict[str, str]:
    """The parameters by name, each given at most once.

    Raises:
        Misasked: unknown, given twice, too long, or no text.
    """
    try:
        query = request.META.get("QUERY_STRING", "").encode("latin-1").decode()
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=20, errors="strict")
    except ValueError as error:
        raise Misasked("query", "The query is not UTF-8, or has too many parameters.") from error
    asked = dict(pairs)
    if len(asked) != len(pairs):
        raise Misasked("query", "A parameter is given twice.")
    for name, value in pairs:
        if name not in known:
            raise Misasked("query", f"Known parameters are: {', '.join(sorted(known)) or 'none'}.")
        if len(value) > PARAMETERS[name] or "\x00" in value:
            raise Misasked(name, f"At most {PARAMETERS[name]} characters, and no NUL.")
    return asked


def question_of(asked: dict[str, str]) -> Question:
    """The question that the parameters ask.

    Raises:
        Misasked: the operation, or `enforce`, is none of those known.
    """
    if asked.get("operation") not in tuple(Operation):
        raise Misasked("operation", f"One of {', '.join(Operation)}.")
    if asked.get("enforce", "") not in ("", "0", "1"):
        raise Misasked("enforce", "1 or 0.")
    return Question(
        operation=Operation(asked["operation"]),
        subject=asked.get("subject", "").strip(),
        labels=frozenset(label.strip() for label in asked.get("labels", "").split(",")) - {""},
        actor=asked.get("actor", "").strip(),
        environment=asked.get("environment", "").rpartition("->")[2].strip(),
    )
