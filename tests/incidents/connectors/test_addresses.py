"""Which addresses may be spoken to at all."""

import pytest

from incidents.connectors.addresses import Reach, reach, resolve

FORBIDDEN = [
    "0.0.0.0", "0.1.2.3", "100.100.100.200", "168.63.129.16", "169.254.169.254", "169.254.170.2", "192.0.0.192",
    "192.0.0.8", "192.0.2.1", "192.88.99.1", "198.18.0.1", "198.51.100.7", "203.0.113.9", "224.0.0.1",
    "239.255.255.250", "240.0.0.1", "255.255.255.255", "::", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:8.8.8.8",
    "::ffff:169.254.169.254", "::ffff:0:127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "100::1",
    "2001::1", "2001:db8::1", "2001:20::1", "2002:7f00:1::", "2002:a9fe:a9fe::1", "3fff::1", "5f00::1",
    "fd00:ec2::254", "fd20:ce::254", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1", "2606:4700::1111%1",
    "", "localhost", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "1.1.1.1/32", "①②⑦.⓪.⓪.①",
]  # fmt: skip
PRIVATE = ["10.0.0.1", "100.64.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "fc00::1", "fd12:3456::1"]
LOOPBACK = ["127.0.0.1", "127.255.255.254", "::1"]
PUBLIC = ["1.1.1.1", "8.8.8.8", "93.184.216.34", "172.32.0.1", "2606:4700:4700::1111", "2a00:1450:4001:80b::200e"]


@pytest.mark.parametrize(
    ("kind", "address"),
    [(Reach.FORBIDDEN, address) for address in FORBIDDEN]
    + [(Reach.PRIVATE, address) for address in PRIVATE]
    + [(Reach.LOOPBACK, address) for address in LOOPBACK]
    + [(Reach.PUBLIC, address) for address in PUBLIC],
)
def test_each_address_has_one_kind_of_reach(kind, address):
    assert reach(address) is kind


@pytest.mark.parametrize("spelling", ["127.1", "2130706433", "0x7f000001", "0177.0.0.1", "127.0.0.1", "localhost"])
def test_whatever_the_spelling_the_resolved_address_is_judged(spelling):
    found = resolve(spelling, 443)

    assert found
    assert {reach(address) for address in found} == {Reach.LOOPBACK}
