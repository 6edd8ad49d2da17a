"""Whether a datagram that is sent here arrives: says `listening`, then `heard` or `silence`.

    hears.py SECONDS               waits for one on port 9000
    hears.py to ADDRESS SECONDS    sends one every 50 ms
"""

import socket
import sys
import time

PORT = 9000
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
if sys.argv[1] == "to":
    until = time.monotonic() + float(sys.argv[3])
    while time.monotonic() < until:
        udp.sendto(b"hear me", (sys.argv[2], PORT))
        time.sleep(0.05)
else:
    udp.bind(("0.0.0.0", PORT))
    udp.settimeout(float(sys.argv[1]))
    print("listening", flush=True)
    began = time.monotonic()
    try:
        udp.recvfrom(64)
        print(f"heard {time.monotonic() - began:.3f}", flush=True)
    except TimeoutError:
        print("silence", flush=True)
