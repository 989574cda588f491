/*
 * A machine that logs, line after line, until SIGTERM. Built as a static program and carried into the guest in its
 * user_data (guest-program.ts).
 *
 *   sender relp ADDRESS PORT PREFIX BATCH MILLISECONDS
 *   sender udp  ADDRESS PORT PREFIX BATCH MILLISECONDS
 *
 * Says BATCH lines "PREFIX line NUMBER" each MILLISECONDS, from number 0 on, and prints at its end how many there were. By
 * relp it ends only when the receiver has acknowledged all: what was not when a connection broke is sent again by the next.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* Lines that may be under way unacknowledged. */
#define WINDOW 100
#define RETRY_MILLISECONDS 200
/* A receiver that says nothing for so long, with lines under way, is gone. */
#define PATIENCE_MILLISECONDS 10000
#define MAX_FRAME 512

static volatile sig_atomic_t is_stopped;
static struct sockaddr_in receiver = {.sin_family = AF_INET};
static const char *prefix;
static int batch, period;
static long begun, said;

static void stop(int signal_) {
  (void)signal_;
  is_stopped = 1;
}

static void die(const char *what) {
  perror(what);
  exit(1);
}

static long now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

/* Lines are said by the clock, whether anybody takes them or not. */
static void say(void) {
  if (!is_stopped) said = ((now() - begun) / period + 1) * batch;
}

static int line(char *text, long number) {
  return snprintf(text, MAX_FRAME, "<13>Nov 21 07:00:00 guest sender: %s line %ld", prefix, number);
}

static void by_udp(void) {
  char text[MAX_FRAME];
  /* Not connected: then it would be told of a receiver that is away, in place of sending the next one. */
  int out = socket(AF_INET, SOCK_DGRAM, 0);
  for (long sent = 0;;) {
    say();
    for (; sent < said; sent++) {
      int length = line(text, sent);
      if (sendto(out, text, length, 0, (struct sockaddr *)&receiver, sizeof receiver) != length) die("sendto");
    }
    if (is_stopped) return;
    poll(NULL, 0, period);
  }
}

/* One session of RELP. The next transaction, and what came and is not understood yet. */
struct session {
  int socket, length;
  long transaction;
  char received[65536];
};

static int put(struct session *session, const char *command, const char *data) {
  char frame[MAX_FRAME + 64];
  int length = snprintf(frame, sizeof frame, "%ld %s %zu%s%s\n", session->transaction++, command, strlen(data),
                        *data ? " " : "", data);
  return send(session->socket, frame, length, MSG_NOSIGNAL) == length;
}

/* Takes one answer out of what came: 1 = "200", 0 = not all of it is there yet, -1 = anything else. */
static int answer(struct session *session) {
  char command[32];
  int size, begin;
  long transaction;
  session->received[session->length] = 0;
  if (!memchr(session->received, '\n', session->length)) return 0;
  if (sscanf(session->received, "%ld %31s %d%n", &transaction, command, &size, &begin) != 3) return -1;
  int whole = begin + (size ? 1 + size : 0) + 1;
  if (size < 0 || whole >= (int)sizeof session->received) return -1;
  if (session->length < whole) return 0;
  int is_good = !strcmp(command, "rsp") && !strncmp(session->received + begin, " 200", 4);
  session->length -= whole;
  memmove(session->received, session->received + whole, session->length);
  return is_good ? 1 : -1;
}

/* Waits that long for more; -1 = the connection is over. */
static int hear(struct session *session, int milliseconds) {
  struct pollfd in = {session->socket, POLLIN, 0};
  if (poll(&in, 1, milliseconds) < 1) return 0;
  int length = recv(session->socket, session->received + session->length,
                    sizeof session->received - 1 - session->length, 0);
  if (length < 1) return -1;
  session->length += length;
  return 0;
}

/* Sends what is not acknowledged, and then what is said meanwhile, until the connection breaks or all is done. */
static void converse(struct session *session, long *acknowledged) {
  char text[MAX_FRAME];
  long sent = *acknowledged, heard = now();
  int is_open = 0, verdict;
  if (!put(session, "open", "relp_version=0\nrelp_software=sender\ncommands=syslog")) return;
  for (;;) {
    say();
    for (; is_open && sent < said && sent - *acknowledged < WINDOW; sent++) {
      line(text, sent);
      if (!put(session, "syslog", text)) return;
    }
    if (is_stopped && *acknowledged == said) break;
    if (hear(session, period) < 0) return;
    while ((verdict = answer(session)) == 1) {
      heard = now();
      /* The first one is to "open"; they come in the order of the lines. */
      if (is_open) ++*acknowledged;
      is_open = 1;
    }
    if (verdict < 0) return;
    if (is_open && sent == *acknowledged) heard = now();
    if (now() - heard > PATIENCE_MILLISECONDS) return;
  }
  put(session, "close", "");
}

static void by_relp(void) {
  static struct session session;
  struct timeval patience = {PATIENCE_MILLISECONDS / 1000, 0};
  int on = 1;
  for (long acknowledged = 0; !is_stopped || acknowledged < said;) {
    session.socket = socket(AF_INET, SOCK_STREAM, 0);
    session.length = 0;
    session.transaction = 1;
    setsockopt(session.socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(session.socket, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    if (!connect(session.socket, (struct sockaddr *)&receiver, sizeof receiver)) converse(&session, &acknowledged);
    close(session.socket);
    say();
    if (!is_stopped || acknowledged < said) poll(NULL, 0, RETRY_MILLISECONDS);
  }
}

int main(int count, char **words) {
  if (count != 7 || inet_pton(AF_INET, words[2], &receiver.sin_addr) != 1) die("usage");
  receiver.sin_port = htons(atoi(words[3]));
  prefix = words[4];
  batch = atoi(words[5]);
  period = atoi(words[6]);
  begun = now();
  signal(SIGTERM, stop);
  if (!strcmp(words[1], "udp")) by_udp();
  else by_relp();
  printf("%ld\n", said);
  return 0;
}
