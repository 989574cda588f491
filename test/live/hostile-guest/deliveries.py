#!/usr/bin/env python3
# Says what is delivered to a machine that its host has not sent itself: deliveries.py PORT BRIDGE. A line a frame.
import socket
import sys

port, bridge = sys.argv[1:3]
own = set()
for device in port, bridge:
    with open(f'/sys/class/net/{device}/address') as file:
        own.add(bytes.fromhex(file.read().strip().replace(':', '')))
frames = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
frames.bind((port, 0))
print('listening', flush=True)
while True:
    frame, (_, _, kind, _, _) = frames.recvfrom(2048)
    if kind == socket.PACKET_OUTGOING and frame[6:12] not in own:
        print(frame[:64].hex(), flush=True)
