"""A slow, lossy wire between network namespaces, for kernels without netem.

    slow_wire.py SEED NAME=ADDRESS…

Makes a TUN device of each NAME, says `ready`, and carries IPv4 packets to the device whose ADDRESS they are for. Each
line on standard input is `DELAY_MILLISECONDS LOSS_PERCENT`, and holds from then on between all but the last device,
which is the tester's own and always quick. Ends with standard input, and the devices end with it.
"""

import fcntl
import heapq
import os
import random
import selectors
import socket
import struct
import sys
import time

# linux/if_tun.h
TUNSETIFF = 0x400454CA
IFF_TUN = 0x0001
IFF_NO_PI = 0x1000
PACKET_BYTES_MAX = 65536
# What is under way at most; more is dropped, as a router's queue would.
UNDER_WAY_MAX = 20000


def open_device(name):
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH", name.encode(), IFF_TUN | IFF_NO_PI))
    return device


def deliver(device, packet):
    try:
        os.write(device, packet)
    except OSError:
        # The other end is down or full: the packet is lost, which is what packets are for.
        pass


def main():
    chance = random.Random(int(sys.argv[1]))
    devices = {}
    for word in sys.argv[2:]:
        name, address = word.split("=")
        devices[socket.inet_aton(address)] = open_device(name)
    tester = list(devices.values())[-1]
    print("ready", flush=True)

    waiting = selectors.DefaultSelector()
    for device in devices.values():
        waiting.register(device, selectors.EVENT_READ)
    waiting.register(sys.stdin, selectors.EVENT_READ)
    delay_seconds, loss = 0.0, 0.0
    under_way, number = [], 0
    while True:
        patience = max(0.0, under_way[0][0] - time.monotonic()) if under_way else None
        for key, _ in waiting.select(patience):
            if key.fileobj is sys.stdin:
                line = sys.stdin.readline()
                if not line:
                    return
                words = line.split()
                delay_seconds, loss = float(words[0]) / 1000.0, float(words[1]) / 100.0
                continue
            try:
                packet = os.read(key.fd, PACKET_BYTES_MAX)
            except OSError:
                continue
            target = devices.get(packet[16:20])
            if packet[0] >> 4 != 4 or target is None:
                continue
            if tester in (key.fd, target):
                deliver(target, packet)
            elif len(under_way) < UNDER_WAY_MAX and chance.random() >= loss:
                number += 1
                heapq.heappush(under_way, (time.monotonic() + delay_seconds, number, target, packet))
        now = time.monotonic()
        while under_way and under_way[0][0] <= now:
            _, _, target, packet = heapq.heappop(under_way)
            deliver(target, packet)


main()
