"""What the freeze lets through: `rule` decides and knows no database, `facts` reads what is decided on."""

from incidents.freeze_check.facts import Reading, State, Token, read, read_state
from incidents.freeze_check.rule import Decision, Facts, Operation, Question, decide

__all__ = ["Decision", "Facts", "Operation", "Question", "Reading", "State", "Token", "decide", "read", "read_state"]
