"""What a hostile or honest peer does on a network, for the tests of the machines' firewall. One job a process:

  frames DEVICE HEX…           sends raw frames
  sniff DEVICE MARKER          prints the hex of every frame that holds MARKER (hex); first a line "ready"
  serve [tcp|udp]:[ADDRESS]:PORT …   answers each connection and datagram with "hello"; first a line "ready"
  tcp ADDRESS PORT [SECONDS]   prints "hello" or, after so long, "nothing"
  udp ADDRESS PORT [SECONDS]   the same
  many ADDRESS PORT COUNT [EXPECTED]   begins COUNT connections at once and, when EXPECTED of them were answered, holds
                               them a moment; prints how many were answered
  flood ADDRESS PORT COUNT     sends COUNT datagrams

frames and flood print in how many seconds they have sent all.
"""
import select
import socket
import sys
import time

WAIT_SECONDS = 0.5
# Who answers may be held up for so long.
PATIENCE_SECONDS = 60
# Of a flood: the kernel holds 1,000 packets for an interface at most, should it not come to hand them on meanwhile.
AT_ONCE = 100


def frames(device, *frames_hex):
    raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    raw.bind((device, 0))
    send_all([bytes.fromhex(frame) for frame in frames_hex], raw.send)


def send_all(messages, send):
    began = time.monotonic()
    for at, message in enumerate(messages, 1):
        send(message)
        if at % AT_ONCE == 0:
            time.sleep(0.001)
    print(time.monotonic() - began)


def sniff(device, marker):
    raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    raw.bind((device, 0))
    print("ready", flush=True)
    while True:
        frame, (_, _, packet_type, _, _) = raw.recvfrom(65536)
        # 4: what this host itself sends.
        if packet_type != 4 and bytes.fromhex(marker) in frame:
            print(frame.hex(), flush=True)


def serve(*where):
    listeners, datagrams = [], []
    for spec in where:
        kind, address, port = spec.split(":")
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((address, int(port)))
        sock.setblocking(False)
        if kind == "tcp":
            sock.listen(4096)
            listeners.append(sock)
        else:
            datagrams.append(sock)
    print("ready", flush=True)
    held = []
    while True:
        for sock in select.select(listeners + datagrams, [], [])[0]:
            if sock in listeners:
                try:
                    connection, _ = sock.accept()
                    held.append(connection)
                    connection.sendall(b"hello\n")
                except OSError:
                    pass
            else:
                try:
                    _, sender = sock.recvfrom(65536)
                    sock.sendto(b"hello\n", sender)
                except OSError:
                    # Rules drop what is sent, too; and what has a wrong checksum is readable until it is read.
                    pass


def tcp(address, port, seconds=WAIT_SECONDS):
    try:
        with socket.create_connection((address, int(port)), float(seconds)) as connection:
            print(connection.recv(16).decode().strip() or "nothing")
    except OSError:
        print("nothing")


def udp(address, port, seconds=WAIT_SECONDS):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(float(seconds))
        try:
            sock.sendto(b"question", (address, int(port)))
            print(sock.recv(16).decode().strip())
        except OSError:
            print("nothing")


def many(address, port, count, expected=0):
    pending = []
    for _ in range(int(count)):
        sock = socket.socket()
        sock.setblocking(False)
        sock.connect_ex((address, int(port)))
        pending.append(sock)
    until = time.monotonic() + PATIENCE_SECONDS
    while answered(pending) < int(expected) and time.monotonic() < until:
        time.sleep(0.05)
    time.sleep(WAIT_SECONDS)
    print(answered(pending))


def answered(pending):
    return len(select.select(pending, [], [], 0)[0])


def flood(address, port, count):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        send_all([b"<13>flood"] * int(count), lambda message: sock.sendto(message, (address, int(port))))


globals()[sys.argv[1]](*sys.argv[2:])
