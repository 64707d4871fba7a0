"""Addresses that try to lead the portal where it must not go. `{port}` is a port where somebody counts."""

from __future__ import annotations

LISTED = "hooks.test"

# How the text of an address can pretend. None of them may open a socket, whatever else is allowed.
SPELLINGS = [
    # other forms of 127.0.0.1 and of metadata addresses
    "https://127.1:{port}/", "https://127.0.1:{port}/", "https://2130706433:{port}/", "https://0x7f000001:{port}/",
    "https://0x7f.0.0.1:{port}/", "https://0x7f.0x0.0x0.0x1:{port}/", "https://0177.0.0.1:{port}/",
    "https://017700000001:{port}/", "https://00000177.0.0.01:{port}/", "https://0:{port}/", "https://0.0.0.0:{port}/",
    "https://127.0.0.1.:{port}/", "https://127.0.0.1:{port}/", "https://127.255.255.254:{port}/",
    "https://①②⑦.⓪.⓪.①:{port}/", "https://１２７.０.０.１:{port}/", "https://127。0。0。1:{port}/",
    "https://[::1]:{port}/", "https://[0:0:0:0:0:0:0:1]:{port}/", "https://[::]:{port}/",
    "https://[::ffff:127.0.0.1]:{port}/", "https://[::ffff:7f00:1]:{port}/", "https://[::127.0.0.1]:{port}/",
    "https://[::ffff:0:127.0.0.1]:{port}/", "https://[64:ff9b::7f00:1]:{port}/", "https://[2002:7f00:1::]:{port}/",
    "https://[fe80::1%25lo]:{port}/", "https://[fe80::1%lo]:{port}/", "https://[::1%25lo]:{port}/",
    "https://169.254.169.254/latest/meta-data/", "https://0xa9fea9fe/", "https://2852039166/", "https://169.254.43518/",
    "https://[::ffff:a9fe:a9fe]/", "https://[fd00:ec2::254]/", "https://192.0.0.192/", "https://100.100.100.200/",
    "https://metadata.google.internal/", "https://metadata/", "https://localhost:{port}/", "https://LOCALHOST:{port}/",
    "https://localhost.localdomain:{port}/", "https://ip6-localhost:{port}/",
    # another host than it looks
    "https://hooks.test@127.0.0.1:{port}/", "https://hooks.test:443@127.0.0.1:{port}/",
    "https://127.0.0.1:{port}#@hooks.test/", "https://127.0.0.1:{port}\\@hooks.test/",
    "https://hooks.test\\@127.0.0.1:{port}/", "https://hooks.test%40127.0.0.1:{port}/",
    "https://127.0.0.1:{port}?@hooks.test/", "https://127.0.0.1:{port}/@hooks.test", "https://@127.0.0.1:{port}/",
    "https://hooks.test.127.0.0.1.nip.io:{port}/", "https://hooks.test.:{port}/", "https://hooks.test..:{port}/",
    "https://hooks%2etest:{port}/", "https://hooks．test:{port}/", "https://hооks.test:{port}/",
    "https://xn--hks-qed1c.test:{port}/", "https://evilhooks.test:{port}/", "https://a.hooks.test:{port}/",
    "https://hooks.test:0{port}x/", "https://hooks.test:/", "https://hooks.test:0/", "https://hooks.test:99999/",
    "https://hooks.test:-1/", "https://hooks.test:+{port}/", "https://hooks.test:{port}:80/",
    "https:///127.0.0.1:{port}/", "https:/127.0.0.1:{port}/", "https:127.0.0.1:{port}/", "//127.0.0.1:{port}/",
    "https:\\\\127.0.0.1:{port}\\", "https://127.0.0.1\t:{port}/", "https://127.0.0.1\n:{port}/",
    "ht\ntps://127.0.0.1:{port}/", "https://127.0.0.1:{port}/\r\nHost: hooks.test", "https://127.0.0.1\x00.test:{port}/",
    " https://127.0.0.1:{port}/", "\x00https://127.0.0.1:{port}/", "https://[127.0.0.1]:{port}/", "https://[::1:{port}/",
    # other ports and schemes
    "https://hooks.test:22/", "https://hooks.test:6379/", "http://hooks.test/", "http://127.0.0.1:{port}/",
    "http://169.254.169.254/latest/meta-data/iam/security-credentials/", "ftp://127.0.0.1:{port}/",
    "file:///etc/passwd", "gopher://127.0.0.1:{port}/_QUIT", "dict://127.0.0.1:{port}/info", "ldap://127.0.0.1:{port}/",
    "unix:///var/run/docker.sock", "http+unix://%2Fvar%2Frun%2Fdocker.sock/info", "jar:https://127.0.0.1:{port}!/",
    "data:text/plain,hello", "javascript:fetch('https://127.0.0.1:{port}/')", "ws://127.0.0.1:{port}/", "", "*",
]  # fmt: skip

METADATA = [
    "169.254.169.254", "169.254.170.2", "169.254.169.253", "192.0.0.192", "100.100.100.200", "168.63.129.16",
    "fd00:ec2::254", "fd20:ce::254", "fe80::a9fe:a9fe", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe",
    "2002:a9fe:a9fe::",
]  # fmt: skip
INSIDE = ["127.0.0.1", "127.0.0.53", "::1", "10.0.0.1", "172.16.0.1", "192.168.0.1", "100.64.0.1", "fd12:3456::1"]
DISGUISED = ["0.0.0.0", "::", "::ffff:127.0.0.1", "::127.0.0.1", "::ffff:0:127.0.0.1", "64:ff9b::7f00:1", "fe80::1%lo",
             "2002:7f00:1::", "2001::1", "224.0.0.1", "255.255.255.255", "240.0.0.1", "192.88.99.1"]  # fmt: skip

# Where a listed name is said to lead: answers of a name server, one after the other, and what makes each wrong.
PUBLIC = "203.0.114.7"
NAMES: dict[str, dict[str, list[list[str]]]] = {
    **{f"leads to {address}": {LISTED: [[address]]} for address in METADATA + INSIDE + DISGUISED},
    "one good and one inside": {LISTED: [[PUBLIC, "10.0.0.1"]]},
    "one inside and one good": {LISTED: [["127.0.0.1", PUBLIC]]},
    "one good and the metadata service of another family": {LISTED: [[PUBLIC, "fd00:ec2::254"]]},
    "many good and one inside at the end": {LISTED: [[*[f"203.0.114.{n}" for n in range(1, 30)], "::1"]]},
    "an alias of localhost": {LISTED: [["CNAME inside.test"]], "inside.test": [["127.0.0.1"]]},
    "an alias of an alias of the metadata service": {
        LISTED: [["CNAME a.test"]], "a.test": [["CNAME b.test"]], "b.test": [["169.254.169.254"]],
    },
    "an alias that goes round": {LISTED: [["CNAME a.test"]], "a.test": [[f"CNAME {LISTED}"]]},
    "no address at all": {LISTED: [[]]},
    "no such name": {},
    "what is no address": {LISTED: [["127.1"]]},
    "a name for an address": {LISTED: [["localhost"]]},
    "an address with a port": {LISTED: [["127.0.0.1:80"]]},
    "an address in brackets": {LISTED: [["[::1]"]]},
    "a network": {LISTED: [["127.0.0.0/8"]]},
}  # fmt: skip

REDIRECTS = (300, 301, 302, 303, 304, 305, 306, 307, 308)
# Where an allowed host sends on to; `{inside}` counts, `{own}` is the allowed host itself.
TARGETS = [
    "{inside}", "//127.0.0.1:{port}/", "{own}elsewhere", "/elsewhere", "https://hooks.test/",
    "http://169.254.169.254/latest/meta-data/", "http://[fd00:ec2::254]/", "file:///etc/passwd", "",
    "gopher://127.0.0.1:{port}/", "http://127.0.0.1:{port}/\r\nX-Also: y", "http://[::1]:{port}/", "é",
]  # fmt: skip
