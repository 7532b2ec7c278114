// nbd-limit: what no server of NBD can beat on this machine.
//
// Answers reads with the same bytes and swallows writes, with the least work possible: one thread, one client at a time,
// receive, count requests, send. No offset, flag or length is looked at more than it takes to stay in step, nothing is
// kept. It is a yardstick, not an example.
//
//   nbd-limit SOCKET BYTE-COUNT [spin]     spin: never sleeps in a receive
//
// Build: cc -O2 -o nbd-limit nbd-limit.c

#define _GNU_SOURCE
#include <endian.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

enum { input_size = 1 << 18, data_size = 32 << 20, most_replies = 512, largest_option = 1 << 16 };

static uint8_t input[input_size];
static uint8_t data[data_size];
static int receive_flags;

static void fail(const char *what) {
  fprintf(stderr, "nbd-limit: %s: %s\n", what, strerror(errno));
  exit(1);
}

static uint16_t load16(const uint8_t *at) { uint16_t value; memcpy(&value, at, 2); return be16toh(value); }
static uint32_t load32(const uint8_t *at) { uint32_t value; memcpy(&value, at, 4); return be32toh(value); }
static void store16(uint8_t *at, uint16_t value) { value = htobe16(value); memcpy(at, &value, 2); }
static void store32(uint8_t *at, uint32_t value) { value = htobe32(value); memcpy(at, &value, 4); }
static void store64(uint8_t *at, uint64_t value) { value = htobe64(value); memcpy(at, &value, 8); }

// Zero at the end of the stream.
static size_t receive(int client, uint8_t *at, size_t room) {
  while (true) {
    ssize_t count = recv(client, at, room, receive_flags);
    if (count > 0) return (size_t)count;
    if (count == 0 || (errno != EAGAIN && errno != EINTR)) return 0;
  }
}

static bool receive_all(int client, uint8_t *at, size_t count) {
  for (size_t done = 0, got; done < count; done += got)
    if ((got = receive(client, at + done, count - done)) == 0) return false;
  return true;
}

static bool send_all(int client, struct iovec *vectors, size_t count) {
  struct msghdr message = {.msg_iov = vectors, .msg_iovlen = count};
  while (message.msg_iovlen > 0) {
    ssize_t sent = sendmsg(client, &message, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return false;
    while (message.msg_iovlen > 0 && (size_t)sent >= message.msg_iov->iov_len) {
      sent -= (ssize_t)message.msg_iov->iov_len;
      message.msg_iov++;
      message.msg_iovlen--;
    }
    if (sent > 0) {
      message.msg_iov->iov_base = (uint8_t *)message.msg_iov->iov_base + sent;
      message.msg_iov->iov_len -= (size_t)sent;
    }
  }
  return true;
}

static bool answer_option(int client, uint32_t option, uint32_t type, const uint8_t *payload, uint32_t count) {
  uint8_t head[20];
  store64(head, 0x3e889045565a9ull);
  store32(head + 8, option);
  store32(head + 12, type);
  store32(head + 16, count);
  struct iovec vectors[2] = {{head, sizeof head}, {(void *)payload, count}};
  return send_all(client, vectors, 2);
}

// The fixed newstyle handshake, as far as NBD_OPT_GO.
static bool negotiate(int client, uint64_t size) {
  uint8_t greeting[18], option[16];
  memcpy(greeting, "NBDMAGICIHAVEOPT", 16);
  store16(greeting + 16, 3);
  struct iovec vector = {greeting, sizeof greeting};
  if (!send_all(client, &vector, 1) || !receive_all(client, input, 4)) return false;
  while (receive_all(client, option, sizeof option)) {
    uint32_t number = load32(option + 8), count = load32(option + 12);
    if (count > largest_option || !receive_all(client, input, count)) return false;
    if (number == 7) {
      uint8_t information[12];
      store16(information, 0);
      store64(information + 2, size);
      store16(information + 10, 1);
      return answer_option(client, number, 3, information, sizeof information) &&
             answer_option(client, number, 1, NULL, 0);
    }
    if (number == 2) return answer_option(client, number, 1, NULL, 0) && false;
    if (!answer_option(client, number, 0x80000001u, NULL, 0)) return false;
  }
  return false;
}

static void serve(int client) {
  static uint8_t heads[most_replies][16];
  static struct iovec vectors[2 * most_replies];
  size_t filled = 0;
  while (true) {
    size_t got = receive(client, input + filled, input_size - filled);
    if (got == 0) return;
    filled += got;
    size_t position = 0, vector_count = 0, reply_count = 0;
    while (filled - position >= 28 && reply_count < most_replies) {
      const uint8_t *request = input + position;
      uint16_t type = load16(request + 6);
      uint32_t count = load32(request + 24);
      if (load32(request) != 0x25609513u || type == 2 || count > data_size) return;
      position += 28;
      uint8_t *head = heads[reply_count++];
      store32(head, 0x67446698u);
      store32(head + 4, 0);
      memcpy(head + 8, request + 8, 8);
      vectors[vector_count++] = (struct iovec){head, 16};
      if (type == 0) vectors[vector_count++] = (struct iovec){data, count};
      if (type == 1) {
        size_t here = filled - position < count ? filled - position : count;
        position += here;
        if (here < count && !receive_all(client, data, count - here)) return;
      }
    }
    memmove(input, input + position, filled - position);
    filled -= position;
    if (!send_all(client, vectors, vector_count)) return;
  }
}

int main(int count, char **arguments) {
  if (count < 3) {
    fputs("usage: nbd-limit SOCKET BYTE-COUNT [spin]\n", stderr);
    return 2;
  }
  if (count > 3 && strcmp(arguments[3], "spin") == 0) receive_flags = MSG_DONTWAIT;
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (strlen(arguments[1]) >= sizeof address.sun_path) {
    fputs("nbd-limit: the socket's path is too long\n", stderr);
    return 2;
  }
  strcpy(address.sun_path, arguments[1]);
  memset(data, 0x5a, sizeof data);
  int listening = socket(AF_UNIX, SOCK_STREAM, 0);
  if (listening < 0 || bind(listening, (struct sockaddr *)&address, sizeof address) < 0 || listen(listening, 16) < 0)
    fail(arguments[1]);
  while (true) {
    int client = accept(listening, NULL, NULL);
    if (client < 0) continue;
    if (negotiate(client, strtoull(arguments[2], NULL, 10))) serve(client);
    close(client);
  }
}
