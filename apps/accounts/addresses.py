"""From which address a request comes, as far as it can be believed.

Invariant: a header counts only as far as our own proxies wrote it (`TRUSTED_PROXIES` of them); what a caller
writes into it changes nothing.
"""

import ipaddress
from collections.abc import Mapping
from typing import Any

from django.conf import settings

# Whoever has an address of IPv6 has at least such a network of them.
_IPV6_NETWORK = 64


def client_address(meta: Mapping[str, Any]) -> str:
    """The caller's address, for IPv6 its /64 network; empty when there is none. `meta` is `request.META`."""
    direct = str(meta.get("REMOTE_ADDR") or "")
    forwarded = [hop.strip() for hop in str(meta.get("HTTP_X_FORWARDED_FOR") or "").split(",")]
    trusted: int = settings.TRUSTED_PROXIES
    # Fewer entries than proxies: it did not come through all of them, so nobody vouches for the first.
    if 0 < trusted <= len(forwarded):
        return _network(forwarded[-trusted]) or _network(direct)
    return _network(direct)


def _network(text: str) -> str:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return ""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        return str(ipaddress.IPv6Network((int(address), _IPV6_NETWORK), strict=False))
    return str(address)
