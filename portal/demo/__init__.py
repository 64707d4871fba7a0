"""One command that shows everything: the supervisor, a mail server that keeps its mail, demo people, a walkthrough."""
