"""What a started demo tells: the person at the terminal a table, a program the ready file."""

import json
from pathlib import Path

from portal.demo.folder import write_privately
from portal.demo.services import Places

Users = list[dict[str, str]]


def to_person(places: Places, users: Users, seconds: float) -> None:
    """Print the address, the mailbox and who may sign in."""
    rows = [("sign in as", "password", "role"), *((user["email"], user["password"], user["role"]) for user in users)]
    email_width, password_width = (max(len(row[column]) for row in rows) for column in range(2))
    print(f"\nLastgood is ready after {seconds:.1f} s:  {places.url}/")
    print(f"Mail it sends:  {places.mailbox_url}")
    print(f"Data and logs:  {places.data}\n")
    for email, password, role in rows:
        print(f"  {email:{email_width}}   {password:{password_width}}   {role}")
    print("\nCtrl-C stops everything.", flush=True)


def to_program(path: Path, places: Places, users: Users) -> None:
    """Write the same as JSON, whole or not at all, for the owner's eyes only."""
    ready = {"url": places.url, "mailbox_url": places.mailbox_url, "data": str(places.data), "users": users}
    write_privately(path.absolute(), json.dumps(ready, indent=1))
