"""What a hostile or honest peer does on a network, for the tests of the machines' firewall. One job a process:

  frames DEVICE HEX…           sends raw frames
  sniff DEVICE MARKER          prints the hex of every frame that holds MARKER (hex); first a line "ready"
  serve [tcp|udp]:[ADDRESS]:PORT …   answers each connection and datagram with "hello"; first a line "ready"
  tcp ADDRESS PORT [SOURCE PORT]     prints "hello" or "nothing"
  udp ADDRESS PORT             the same
  many ADDRESS PORT COUNT      begins COUNT connections at once and holds them a moment; prints how many were answered
  flood ADDRESS PORT COUNT     sends COUNT datagrams
"""
import select
import socket
import sys
import time

WAIT_SECONDS = 0.5


def frames(device, *frames_hex):
    raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    raw.bind((device, 0))
    for frame in frames_hex:
        raw.send(bytes.fromhex(frame))


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
                connection, _ = sock.accept()
                try:
                    connection.sendall(b"hello\n")
                except OSError:
                    pass
                held.append(connection)
            else:
                _, sender = sock.recvfrom(65536)
                sock.sendto(b"hello\n", sender)


def tcp(address, port):
    try:
        with socket.create_connection((address, int(port)), WAIT_SECONDS) as connection:
            print(connection.recv(16).decode().strip() or "nothing")
    except OSError:
        print("nothing")


def udp(address, port):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(WAIT_SECONDS)
        try:
            sock.sendto(b"question", (address, int(port)))
            print(sock.recv(16).decode().strip())
        except OSError:
            print("nothing")


def many(address, port, count):
    pending = []
    for _ in range(int(count)):
        sock = socket.socket()
        sock.setblocking(False)
        sock.connect_ex((address, int(port)))
        pending.append(sock)
    time.sleep(WAIT_SECONDS)
    print(len([sock for sock in pending if select.select([sock], [], [], 0)[0]]))


def flood(address, port, count):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for _ in range(int(count)):
            sock.sendto(b"<13>flood", (address, int(port)))


globals()[sys.argv[1]](*sys.argv[2:])
