"""Which addresses of other people's servers we may call: a URL as it was given, and what its name resolves to.

Invariant: an address is called only if it belongs to the public internet, or to a network that the operator named in
`WEBHOOK_ALLOWED_NETWORKS`. What is not known to be public is not: of IPv6 only the global unicast block is, without
those parts of it that carry IPv4 addresses or serve as examples.

Source: the IANA IPv4 and IPv6 Special-Purpose Address Registries; RFC 3986; UTS 46 for names.
"""

import ipaddress
import re
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from urllib.parse import quote, urlsplit

import idna
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

MAX_URL_LENGTH = 2000

_NOT_PUBLIC_4 = [
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # this host
        "10.0.0.0/8",
        "100.64.0.0/10",  # carriers', and a cloud's metadata at 100.100.100.200
        "127.0.0.0/8",
        "168.63.129.16/32",  # a cloud's own services, at an address that looks public
        "169.254.0.0/16",  # link-local, and most clouds' metadata
        "172.16.0.0/12",
        "192.0.0.0/24",  # IETF's, and a cloud's metadata at 192.0.0.192
        "192.0.2.0/24",
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
    )
]
_GLOBAL_UNICAST = IPv6Network("2000::/3")
_NOT_PUBLIC_6 = [
    IPv6Network(network)
    for network in (
        "2001::/23",  # IETF's; Teredo among them, which carries IPv4 addresses
        "2001:db8::/32",
        "2002::/16",  # 6to4, which carries IPv4 addresses
        "3fff::/20",
    )
]
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_KEPT_IN_PATHS = "/%:@!$&'()*+,;=~-._"
# Where an authority's host could be read in two ways, or a header could end.
_UNSAFE = re.compile(r"[\x00-\x20\x7f\\]|[^\S ]")


class NotAllowed(Exception):
    """This URL, or what it resolves to, is not called. The text says why, for who gave it."""


@dataclass(frozen=True, slots=True)
class Target:
    """A URL taken apart: what is resolved, called and asked for is this, and never read out of the text again."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def is_encrypted(self) -> bool:
        return self.scheme == "https"

    @property
    def origin(self) -> str:
        """As in a browser: without the port where it is the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        usual = {"https": 443, "http": 80}[self.scheme]
        return f"{self.scheme}://{host}" if self.port == usual else f"{self.scheme}://{host}:{self.port}"

    @property
    def url(self) -> str:
        return self.origin + self.path


def parse(url: str) -> Target:
    """Take a URL apart, and refuse one that could never be called. Raises `NotAllowed`.

    A name is not resolved here; an address written out is judged at once.
    """
    if len(url) > MAX_URL_LENGTH:
        raise NotAllowed(f"The URL is longer than {MAX_URL_LENGTH} characters.")
    if _UNSAFE.search(url):
        raise NotAllowed("The URL holds white space, a backslash or a control character.")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as reason:
        raise NotAllowed(f"This is not a URL: {reason}.") from None
    if parts.scheme not in {"https", "http"} or not parts.hostname:
        raise NotAllowed("The URL must begin with https:// and name a host.")
    if "@" in parts.netloc:
        raise NotAllowed("The URL holds a user name or password. Put a secret into its path, or check our signature.")
    if parts.fragment:
        raise NotAllowed("The URL has a fragment (#…), which no server sees. Leave it out.")
    path = quote(parts.path or "/", safe=_KEPT_IN_PATHS)
    query = f"?{quote(parts.query, safe=_KEPT_IN_PATHS + '?')}" if parts.query else ""
    host = _host(parts.hostname, bracketed="[" in parts.netloc)
    target = Target(parts.scheme, host, port or (443 if parts.scheme == "https" else 80), path + query)
    _check_without_resolving(target)
    return target


def _check_without_resolving(target: Target) -> None:
    literal = _literal(target.host)
    if literal is not None:
        check_addresses(target, [literal])
    elif not allowed_networks():
        _check_public(target)


def check_addresses(target: Target, addresses: list[Address]) -> None:
    """Whether a target that resolves to these may be called. Raises `NotAllowed` if any single one may not.

    A name with a public and a private address is somebody's trick or mistake, so all of them count.
    """
    if not addresses:
        raise NotAllowed(f"{target.host} has no address.")
    if all(_is_allowed(address) for address in addresses):
        return
    for address in addresses:
        if not is_public(address) and not _is_allowed(address):
            raise NotAllowed(f"{target.host} is {address}, which is not an address of the public internet.")
    _check_public(target)


def _check_public(target: Target) -> None:
    """What holds on the public internet, though not in the networks of the operator."""
    if not target.is_encrypted:
        raise NotAllowed("The URL must begin with https://, so that nobody on the way reads along.")
    if target.port not in settings.WEBHOOK_PORTS:
        ports = ", ".join(map(str, sorted(settings.WEBHOOK_PORTS)))
        raise NotAllowed(f"Port {target.port} is not called. These are: {ports}.")


def is_public(address: Address) -> bool:
    """Whether this is an address of the public internet that belongs to one machine."""
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _NOT_PUBLIC_4)
    if address.scope_id or address not in _GLOBAL_UNICAST:
        return False
    return not any(address in network for network in _NOT_PUBLIC_6)


def _is_allowed(address: Address) -> bool:
    return any(address in network for network in allowed_networks())


def allowed_networks() -> tuple[Network, ...]:
    """What the operator lets us call beside the public internet. Raises `ImproperlyConfigured` for no network."""
    return _networks(tuple(settings.WEBHOOK_ALLOWED_NETWORKS))


@lru_cache(maxsize=8)
def _networks(texts: tuple[str, ...]) -> tuple[Network, ...]:
    try:
        return tuple(ipaddress.ip_network(text) for text in texts)
    except ValueError as reason:
        raise ImproperlyConfigured(f"WEBHOOK_ALLOWED_NETWORKS: {reason}.") from None


def _literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _host(text: str, *, bracketed: bool) -> str:
    """The host in the one way we write it: an address in its usual form, or a name as DNS has it."""
    if bracketed:
        address = _literal(text)
        if not isinstance(address, IPv6Address) or address.scope_id:
            raise NotAllowed(f"[{text}] is not an IPv6 address.")
        return str(address)
    name = _as_in_dns(text).removesuffix(".")
    labels = name.split(".")
    # Resolvers read 0x7f.1, 017700000001 and 2130706433 as addresses, too; who means an address writes it.
    if labels[-1].isdecimal() or re.fullmatch(r"0x[0-9a-f]*", labels[-1]):
        address = _literal(name)
        if address is None:
            raise NotAllowed(f"{text} is not an IPv4 address in its usual form, four numbers from 0 to 255.")
        return str(address)
    if len(name) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise NotAllowed(f"{text} is not the name of a host.")
    return name


def _as_in_dns(text: str) -> str:
    """In lower case and ASCII; also digits and dots of other scripts, which browsers take for an address's."""
    if text.isascii():
        return text.lower()
    try:
        name = idna.uts46_remap(text, std3_rules=False)
        return name if name.isascii() else idna.encode(name).decode("ascii")
    except UnicodeError:  # idna's own errors are such
        raise NotAllowed(f"{text} is not the name of a host.") from None
