"""Run as a program: an mDNS responder by python-zeroconf, told on standard input what to do; answers `ok` to each line.

`register NAME PORT ADDRESS KEY=VALUE...`, `update` with the same, `unregister NAME`, `flood COUNT ADDRESS KEY=VALUE`.
"""

import asyncio
import ipaddress
import shlex
import socket
import sys

from zeroconf import (
    DNSAddress,
    DNSOutgoing,
    DNSPointer,
    DNSService,
    DNSText,
    InterfaceChoice,
    IPVersion,
    ServiceInfo,
    const,
)
from zeroconf.asyncio import AsyncZeroconf

TYPE = "_http._tcp.local."
CLASS = const._CLASS_IN
TTL = 1_000_000_000
PER_PACKET = 8


def service(name, port, address, *txt):
    return ServiceInfo(
        TYPE,
        f"{name}.{TYPE}",
        port=int(port),
        server=f"{name.replace(' ', '-')}.local.",
        parsed_addresses=[address],
        properties=dict(each.split("=", 1) for each in txt),
    )


def records(number, address, txt):
    """What a stranger announces: every eighth name holds an escape sequence."""
    name = f"flood{number}" + ("\x1b[31m\u202e" if number % 8 == 0 else "")
    full, host = f"{name}.{TYPE}", f"host{number}.local."
    packed = ipaddress.ip_address(address).packed
    yield DNSPointer(TYPE, const._TYPE_PTR, CLASS, TTL, full)
    yield DNSService(full, const._TYPE_SRV, CLASS, TTL, 0, 0, 8000, host)
    yield DNSText(full, const._TYPE_TXT, CLASS, TTL, bytes([len(txt)]) + txt)
    yield DNSAddress(host, const._TYPE_A, CLASS, TTL, packed)


async def flood(count, address, txt):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sender.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sender.bind(("", const._MDNS_PORT))
        sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(address))
        for start in range(0, int(count), PER_PACKET):
            out = DNSOutgoing(const._FLAGS_QR_RESPONSE | const._FLAGS_AA)
            for number in range(start, start + PER_PACKET):
                for record in records(number, address, txt.format(number).encode()):
                    out.add_answer_at_time(record, 0)
            for packet in out.packets():
                sender.sendto(packet, (const._MDNS_ADDR, const._MDNS_PORT))
            await asyncio.sleep(0.002)


async def main():
    loop = asyncio.get_running_loop()
    zeroconf = AsyncZeroconf(interfaces=InterfaceChoice.All, ip_version=IPVersion.V4Only)
    known = {}
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        verb, *words = shlex.split(line)
        if verb == "flood":
            await flood(*words)
        elif verb == "unregister":
            await (await zeroconf.async_unregister_service(known.pop(words[0])))
        else:
            known[words[0]] = service(*words)
            act = zeroconf.async_register_service if verb == "register" else zeroconf.async_update_service
            await (await act(known[words[0]]))
        sys.stdout.write("ok\n")
        sys.stdout.flush()
    await zeroconf.async_close()


if __name__ == "__main__":
    asyncio.run(main())
