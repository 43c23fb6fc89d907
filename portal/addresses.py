"""Network addresses, as far as limits count by them."""

from ipaddress import IPv6Address, ip_address, ip_network


def of_one_caller(address: str) -> str:
    """What one caller has: an IPv4 address, or a /64 of IPv6, in which they may take another address for each call."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address):
        return str(parsed.ipv4_mapped or ip_network((parsed, 64), strict=False))
    return str(parsed)
