"""Which URLs and addresses are called."""

from ipaddress import ip_address

import pytest

from apps.notifications.calls import targets
from apps.notifications.calls.targets import NotAllowed


@pytest.fixture(autouse=True)
def public_internet_only(settings):
    settings.WEBHOOK_ALLOWED_NETWORKS = []
    settings.WEBHOOK_PORTS = [443, 8443]


NOT_PUBLIC = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "10.255.255.255",
    "100.64.0.1",
    "100.100.100.200",
    "100.127.255.255",
    "127.0.0.1",
    "127.1.2.3",
    "127.255.255.254",
    "168.63.129.16",
    "169.254.0.1",
    "169.254.169.254",
    "169.254.170.2",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.1",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.0.1",
    "192.168.255.255",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.7",
    "203.0.113.7",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:8.8.8.8",
    "::ffff:169.254.169.254",
    "::ffff:0:127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::808:808",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "2001:10::1",
    "2001:20::1",
    "2001:db8::1",
    "2002:7f00:1::1",
    "2002:c0a8:1::1",
    "3fff::1",
    "5f00::1",
    "4000::1",
    "fc00::1",
    "fd00:ec2::254",
    "fd12:3456:789a::1",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
    "ff05::1:3",
    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
]
PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "11.0.0.1",
    "100.63.255.255",
    "100.128.0.1",
    "126.255.255.255",
    "128.0.0.1",
    "169.253.255.255",
    "172.15.255.255",
    "172.32.0.1",
    "192.0.1.1",
    "192.167.255.255",
    "198.17.255.255",
    "198.20.0.1",
    "223.255.255.255",
    "2001:4860:4860::8888",
    "2606:4700:4700::1111",
    "2a00:1450:4001:81b::200e",
]


@pytest.mark.parametrize("text", NOT_PUBLIC)
def test_an_address_that_is_not_of_the_public_internet_is_refused(text):
    target = targets.parse("https://hooks.example.com/")

    assert not targets.is_public(ip_address(text))
    with pytest.raises(NotAllowed, match="not an address of the public internet"):
        targets.check_addresses(target, [ip_address(text)])


@pytest.mark.parametrize("text", PUBLIC)
def test_an_address_of_the_public_internet_may_be_called(text):
    target = targets.parse("https://hooks.example.com/")

    assert targets.is_public(ip_address(text))
    targets.check_addresses(target, [ip_address(text)])


@pytest.mark.parametrize("position", [0, 1, 2])
def test_one_private_address_among_public_ones_refuses_the_name(position):
    target = targets.parse("https://hooks.example.com/")
    addresses = [ip_address("8.8.8.8"), ip_address("2606:4700:4700::1111")]
    addresses.insert(position, ip_address("10.0.0.1"))

    with pytest.raises(NotAllowed, match=r"hooks\.example\.com is 10\.0\.0\.1"):
        targets.check_addresses(target, addresses)


def test_a_name_without_an_address_is_refused():
    with pytest.raises(NotAllowed, match="has no address"):
        targets.check_addresses(targets.parse("https://hooks.example.com/"), [])


LOOPBACK_IN_DISGUISE = [
    "https://127.0.0.1/",
    "https://127.1/",
    "https://127.0.1/",
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0x7f.1/",
    "https://0x7f.0x0.0x0.0x1/",
    "https://127.0.0.0x1/",
    "https://0177.0.0.1/",
    "https://017700000001/",
    "https://0127.0.0.01/",
    "https://127.0.0.1./",
    "https://127。0。0。1/",
    "https://127.0.0.1/",
    "https://\uff11\uff12\uff17.0.0.1/",
    "https://①②⑦.⓪.⓪.①/",
    "https://%31%32%37.0.0.1/",
    "https://[::1]/",
    "https://[0:0:0:0:0:0:0:1]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:7f00:1]/",
    "https://[::1%25lo]/",
    "https://[fe80::1%eth0]/",
    "https://[v1.x]/",
    "https://0/",
    "https://0x/",
    "https://256.256.256.256/",
    "https://1.2.3.4.5/",
    "https://169.254.169.254/latest/meta-data/",
    "https://[fd00:ec2::254]/",
    "https://[64:ff9b::a9fe:a9fe]/",
]


@pytest.mark.parametrize("url", LOOPBACK_IN_DISGUISE)
def test_an_address_however_it_is_written_is_refused_before_anything_is_resolved(url):
    with pytest.raises(NotAllowed):
        targets.parse(url)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://hooks.example.com/", "must begin with https://, so"),
        ("ftp://hooks.example.com/", "must begin with https://"),
        ("file:///etc/passwd", "must begin with https://"),
        ("gopher://hooks.example.com/", "must begin with https://"),
        ("hooks.example.com/x", "must begin with https://"),
        ("https:///x", "name a host"),
        ("", "must begin with https://"),
        ("https://me:secret@hooks.example.com/", "user name or password"),
        ("https://hooks.example.com@10.0.0.1/", "user name or password"),
        ("https://@hooks.example.com/", "user name or password"),
        ("https://hooks.example.com/#x", "fragment"),
        ("https://hooks.example.com:22/", "Port 22 is not called. These are: 443, 8443"),
        ("https://hooks.example.com:6379/", "Port 6379"),
        ("https://hooks.example.com:99999/", "not a URL"),
        ("https://hooks.example.com:x/", "not a URL"),
        ("https://hooks.example.com\\@10.0.0.1/", "backslash"),
        ("https://hooks.example.com/a b", "white space"),
        ("https://hooks.example.com/\r\nHost: x", "white space"),
        ("https://hooks.example.com/\tx", "white space"),
        ("https://hooks.example.com/\x00", "control character"),
        ("https://hooks.example.com/\u2028", "white space"),
        ("https://hooks..example.com/", "not the name of a host"),
        ("https://-hooks.example.com/", "not the name of a host"),
        ("https://hooks.example.com-/", "not the name of a host"),
        (f"https://{'a' * 64}.example.com/", "not the name of a host"),
        (f"https://{'a.' * 127}example/", "not the name of a host"),
        (f"https://hooks.example.com/{'a' * 2000}", "longer than 2000"),
        ("https://a!b.example.com/", "not the name of a host"),
        ("https://[::1/", "not a URL"),
    ],
)
def test_a_url_that_could_never_be_called_is_refused_with_the_reason(url, reason):
    with pytest.raises(NotAllowed, match=reason):
        targets.parse(url)


@pytest.mark.parametrize(
    ("url", "written"),
    [
        ("https://Hooks.Example.COM", "https://hooks.example.com/"),
        ("https://hooks.example.com:443/a?b=c", "https://hooks.example.com/a?b=c"),
        ("https://hooks.example.com:8443/", "https://hooks.example.com:8443/"),
        ("https://bücher.example/", "https://xn--bcher-kva.example/"),
        ("https://hooks.example.com./", "https://hooks.example.com/"),
        ("https://hooks.example.com/ä/%C3%A4", "https://hooks.example.com/%C3%A4/%C3%A4"),
        ("https://a_b.example.com/", "https://a_b.example.com/"),
        ("https://8.8.8.8/", "https://8.8.8.8/"),
        ("https://[2606:4700:4700:0::1111]/", "https://[2606:4700:4700::1111]/"),
    ],
)
def test_a_url_is_taken_apart_once_and_written_in_one_way(url, written):
    assert targets.parse(url).url == written


class TestNetworksOfTheOperator:
    @pytest.fixture(autouse=True)
    def allowed(self, settings):
        settings.WEBHOOK_ALLOWED_NETWORKS = ["10.1.0.0/16", "fd00:1::/32"]

    def test_there_any_port_and_http_will_do(self):
        target = targets.parse("http://10.1.2.3:9000/")

        targets.check_addresses(target, [ip_address("10.1.2.3"), ip_address("fd00:1::5")])

    def test_what_lies_beside_them_stays_refused(self):
        with pytest.raises(NotAllowed, match=r"10\.2\.0\.1, which is not an address"):
            targets.parse("https://10.2.0.1/")

    def test_a_name_there_is_judged_when_it_is_resolved(self):
        target = targets.parse("http://intranet:9000/hook")

        targets.check_addresses(target, [ip_address("10.1.2.3")])
        with pytest.raises(NotAllowed, match="must begin with https://"):
            targets.check_addresses(target, [ip_address("8.8.8.8")])

    def test_a_name_that_is_partly_there_counts_as_public(self):
        target = targets.parse("http://hooks.example.com/")

        with pytest.raises(NotAllowed, match="must begin with https://"):
            targets.check_addresses(target, [ip_address("10.1.2.3"), ip_address("8.8.8.8")])
