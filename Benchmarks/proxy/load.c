// The load side of the proxy benchmark: what wrk cannot do, small enough to be read before a figure is believed.
//
//   load serve   PORT FRAMES            an upstream that streams FRAMES chat chunks, one every 20 ms, each stamped with
//                                       its stream, its number and the time at which it was due
//   load streams PORT COUNT RAMP_MS FRAMES   COUNT streams at once; every frame checked for stream, order and lateness
//   load rate    RATE SECONDS CONNECTIONS BYTES PORT…   requests on a fixed schedule, the ports taking turns
//
// One thread and epoll each, since generator, proxy and upstream share the cores. The client key is read from BENCH_KEY.
// A result is one line of JSON; exit status 0: measured, 1: a broken rule of HTTP or of the frames, 2: usage or system.
//
// Time counts from when something was due, never from when the generator got round to it: a proxy that stands still for
// a second makes all that was due in that second late, instead of hiding behind one slow sample.

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { INTERVAL = 20000, STALL = 200000, LINE_MAX_BYTES = 1024, EVENTS = 512 };

static void die(const char *format, ...) {
  va_list list;
  va_start(list, format);
  fputs("load: ", stderr);
  vfprintf(stderr, format, list);
  fputc('\n', stderr);
  va_end(list);
  exit(2);
}

static int64_t nanoseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int64_t microseconds(void) { return nanoseconds() / 1000; }

static long number(const char *text, long low, long high, const char *what) {
  char *end;
  errno = 0;
  long value = strtol(text, &end, 10);
  if (errno || *end || end == text || value < low || value > high)
    die("%s: a number from %ld to %ld is expected, not '%s'", what, low, high, text);
  return value;
}

static void *allocate(size_t count, size_t size) {
  void *memory = calloc(count ? count : 1, size);
  if (!memory) die("out of memory");
  return memory;
}

static struct sockaddr_in loopback(int port) {
  return (struct sockaddr_in){
      .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static void without_delay(int descriptor) {
  int yes = 1;
  setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
}

static void watch(int poll, int operation, int descriptor, uint32_t events, uint64_t value) {
  struct epoll_event event = {.events = events, .data.u64 = value};
  if (epoll_ctl(poll, operation, descriptor, &event)) die("epoll_ctl: %s", strerror(errno));
}

static int ascending(const void *left, const void *right) {
  uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
  return (a > b) - (a < b);
}

/// Microseconds, collected to be sorted at the end.
struct samples {
  uint32_t *values;
  size_t count, room;
};

static void take(struct samples *samples, int64_t value) {
  if (samples->count == samples->room) {
    samples->room = samples->room ? samples->room * 2 : 4096;
    samples->values = realloc(samples->values, samples->room * sizeof *samples->values);
    if (!samples->values) die("out of memory");
  }
  samples->values[samples->count++] = value < 0 ? 0 : value > UINT32_MAX ? UINT32_MAX : (uint32_t)value;
}

static uint32_t quantile(const struct samples *samples, double part) {
  if (!samples->count) return 0;
  size_t place = (size_t)(part * (double)samples->count);
  return samples->values[place < samples->count ? place : samples->count - 1];
}

static void print_samples(struct samples *samples) {
  qsort(samples->values, samples->count, sizeof *samples->values, ascending);
  printf("\"count\":%zu,\"p50\":%u,\"p90\":%u,\"p99\":%u,\"p999\":%u,\"max\":%u", samples->count,
         quantile(samples, 0.5), quantile(samples, 0.9), quantile(samples, 0.99), quantile(samples, 0.999),
         quantile(samples, 1));
}

// --- An HTTP/1.1 answer, byte by byte of its framing -----------------------------------------------------------------

enum phase { HEAD, SIZE, DATA, DATA_END, TRAILER, LENGTH, DONE };

struct answer {
  enum phase phase;
  int status;
  bool chunked;
  int64_t length;  // -1: none given
  uint64_t left, body;
  char line[LINE_MAX_BYTES];
  size_t used;
};

static void expect_answer(struct answer *answer) {
  answer->phase = HEAD;
  answer->status = 0;
  answer->chunked = false;
  answer->length = -1;
  answer->left = answer->body = 0;
  answer->used = 0;
}

typedef const char *(*body_sink)(void *owner, const char *bytes, size_t count);

static const char *head_line(struct answer *answer, const char *line) {
  if (!answer->status) {
    if (strncmp(line, "HTTP/1.1 ", 9)) return "no HTTP/1.1 status line";
    answer->status = atoi(line + 9);
    return answer->status < 100 ? "no status" : NULL;
  }
  if (!strncasecmp(line, "content-length:", 15)) answer->length = strtoll(line + 15, NULL, 10);
  if (!strncasecmp(line, "transfer-encoding:", 18)) answer->chunked = strcasestr(line, "chunked") != NULL;
  if (*line) return NULL;
  if (answer->chunked) {
    answer->phase = SIZE;
  } else if (answer->length >= 0) {
    answer->left = (uint64_t)answer->length;
    answer->phase = answer->left ? LENGTH : DONE;
  } else {
    return "neither a length nor chunks";
  }
  return NULL;
}

/// Feeds what was read; body bytes go to the sink. Returns NULL, or which rule was broken.
static const char *feed(struct answer *answer, const char *bytes, size_t count, body_sink sink, void *owner) {
  size_t at = 0;
  while (at < count) {
    if (answer->phase == DONE) return "bytes behind the end of the answer";
    if (answer->phase == DATA || answer->phase == LENGTH) {
      size_t part = count - at < answer->left ? count - at : (size_t)answer->left;
      const char *wrong = sink(owner, bytes + at, part);
      if (wrong) return wrong;
      at += part;
      answer->body += part;
      answer->left -= part;
      if (!answer->left) answer->phase = answer->phase == DATA ? DATA_END : DONE;
      continue;
    }
    char byte = bytes[at++];
    if (byte != '\n') {
      if (answer->used == sizeof answer->line - 1) return "a line of the framing without end";
      answer->line[answer->used++] = byte;
      continue;
    }
    if (!answer->used || answer->line[answer->used - 1] != '\r') return "a line without CR";
    answer->line[answer->used - 1] = 0;
    answer->used = 0;
    if (answer->phase == HEAD) {
      const char *wrong = head_line(answer, answer->line);
      if (wrong) return wrong;
    } else if (answer->phase == SIZE) {
      char *end;
      answer->left = strtoull(answer->line, &end, 16);
      if (end == answer->line) return "no size of a chunk";
      answer->phase = answer->left ? DATA : TRAILER;
    } else if (answer->phase == DATA_END) {
      if (*answer->line) return "bytes between two chunks";
      answer->phase = SIZE;
    } else if (!*answer->line) {
      answer->phase = DONE;
    }
  }
  return NULL;
}

static size_t build_request(char *into, size_t room, const char *body) {
  const char *key = getenv("BENCH_KEY");
  int length = snprintf(
      into, room,
      "POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer %s\r\n"
      "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
      key ? key : "", strlen(body), body);
  if (length < 0 || (size_t)length >= room) die("BENCH_KEY is too long");
  return (size_t)length;
}

// --- serve: the paced upstream ---------------------------------------------------------------------------------------

#define FRAME_HEAD "data: {\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion.chunk\",\"created\":1763640000," \
  "\"model\":\"gpt-4o-mini\",\"system_fingerprint\":\"fp_bench\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\""
#define FRAME_TAIL "\"},\"logprobs\":null,\"finish_reason\":null}]}\n\n"
#define END "data: {\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion.chunk\",\"created\":1763640000," \
  "\"model\":\"gpt-4o-mini\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n" \
  "data: {\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion.chunk\",\"created\":1763640000," \
  "\"model\":\"gpt-4o-mini\",\"choices\":[],\"usage\":{\"prompt_tokens\":14,\"completion_tokens\":200," \
  "\"total_tokens\":214}}\n\ndata: [DONE]\n\n"
#define WHOLE "{\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion\",\"created\":1763640000,\"model\":" \
  "\"gpt-4o-mini\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"One.\"}," \
  "\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":14,\"completion_tokens\":2,\"total_tokens\":16}}"
/// Stream, number and due time, in fixed places: "00000017 00000003 0001234567890123".
enum { STAMP = 8 + 1 + 8 + 1 + 16, SLOTS = 64, REQUEST_MAX = 16384 };

static void digits(char *into, int width, uint64_t value) {
  while (width--) {
    into[width] = (char)('0' + value % 10);
    value /= 10;
  }
}

struct stream {
  int descriptor;
  bool open, pacing;
  uint32_t label;
  int64_t due;
  long sent;
  struct stream *next;
  char *request;
  size_t used;
  char *rest;  // what the socket did not take
  size_t rest_length, rest_at;
};

static struct {
  int poll;
  long frames;
  char frame[512];
  size_t frame_length, stamp_at;
  int64_t tick;  // the last millisecond whose slot was emptied
  struct stream *slots[SLOTS];
} server;

static void wait_until(struct stream *stream, int64_t due) {
  int64_t tick = due / 1000;
  if (tick <= server.tick) tick = server.tick + 1;
  if (tick >= server.tick + SLOTS) tick = server.tick + SLOTS - 1;
  stream->next = server.slots[tick % SLOTS];
  server.slots[tick % SLOTS] = stream;
  stream->pacing = true;
}

/// A stream that waits for its time is freed when its slot is visited.
static void leave(struct stream *stream) {
  if (stream->open) close(stream->descriptor);
  stream->open = false;
  if (stream->pacing) return;
  free(stream->request);
  free(stream->rest);
  free(stream);
}

/// False: the peer is gone.
static bool put(struct stream *stream, const char *bytes, size_t count) {
  ssize_t written = send(stream->descriptor, bytes, count, MSG_NOSIGNAL);
  if (written < 0 && errno != EAGAIN) return false;
  size_t done = written < 0 ? 0 : (size_t)written;
  if (done == count) return true;
  stream->rest = allocate(1, count - done);
  memcpy(stream->rest, bytes + done, count - done);
  stream->rest_length = count - done;
  stream->rest_at = 0;
  watch(server.poll, EPOLL_CTL_MOD, stream->descriptor, EPOLLIN | EPOLLOUT, (uint64_t)(uintptr_t)stream);
  return true;
}

static bool put_rest(struct stream *stream) {
  ssize_t written = send(
      stream->descriptor, stream->rest + stream->rest_at, stream->rest_length - stream->rest_at, MSG_NOSIGNAL);
  if (written < 0) return errno == EAGAIN;
  stream->rest_at += (size_t)written;
  if (stream->rest_at < stream->rest_length) return true;
  free(stream->rest);
  stream->rest = NULL;
  watch(server.poll, EPOLL_CTL_MOD, stream->descriptor, EPOLLIN, (uint64_t)(uintptr_t)stream);
  return true;
}

static size_t put_frame(char *into, const struct stream *stream) {
  memcpy(into, server.frame, server.frame_length);
  char *stamp = into + server.stamp_at;
  digits(stamp, 8, stream->label);
  digits(stamp + 9, 8, (uint64_t)stream->sent);
  digits(stamp + 18, 16, (uint64_t)stream->due);
  return server.frame_length;
}

static const char stream_head[] =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\nTransfer-Encoding: chunked\r\n\r\n";

/// Sends what is due; false: the stream is over or its peer gone.
static bool step(struct stream *stream) {
  // Frames keep their due time while the peer does not read: lateness is the reader's to see.
  if (stream->rest) {
    wait_until(stream, microseconds() + 1000);
    return true;
  }
  char bytes[1024];
  size_t count = put_frame(bytes, stream);
  stream->sent++;
  if (stream->sent == server.frames) {
    count += (size_t)sprintf(bytes + count, "%zx\r\n%s\r\n0\r\n\r\n", strlen(END), END);
    stream->sent = 0;
    return put(stream, bytes, count);
  }
  stream->due += INTERVAL;
  if (!put(stream, bytes, count)) return false;
  wait_until(stream, stream->due);
  return true;
}

static bool begin(struct stream *stream) {
  char *end = memmem(stream->request, stream->used, "\r\n\r\n", 4);
  if (!end) return stream->used < REQUEST_MAX - 1;
  stream->request[stream->used] = 0;
  size_t head = (size_t)(end - stream->request) + 4;
  char *field = strcasestr(stream->request, "\r\ncontent-length:");
  if (!field || field > end) return false;
  size_t whole = head + strtoul(field + 17, NULL, 10);
  if (whole > REQUEST_MAX - 1) return false;
  if (stream->used < whole) return true;
  if (stream->pacing || stream->used > whole) return false;  // nobody pipelines here
  char *label = strstr(end, "\"stream-");
  bool streams = label && strstr(end, "\"stream\":true");
  stream->label = label ? (uint32_t)strtoul(label + 8, NULL, 10) : 0;
  stream->used = 0;
  char bytes[1024];
  if (!streams) {
    int count = snprintf(
        bytes, sizeof bytes, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
        strlen(WHOLE), WHOLE);
    return put(stream, bytes, (size_t)count);
  }
  if (!put(stream, stream_head, sizeof stream_head - 1)) return false;
  stream->sent = 0;
  stream->due = microseconds();
  wait_until(stream, stream->due);
  return true;
}

static bool receive_request(struct stream *stream) {
  for (;;) {
    ssize_t count = read(stream->descriptor, stream->request + stream->used, REQUEST_MAX - 1 - stream->used);
    if (count < 0) return errno == EAGAIN;
    if (count == 0) return false;
    stream->used += (size_t)count;
    if (!begin(stream)) return false;
  }
}

static _Noreturn void serve(int port, long frames) {
  server.frames = frames;
  size_t payload = strlen(FRAME_HEAD) + STAMP + strlen(FRAME_TAIL);
  int prefix = sprintf(server.frame, "%zx\r\n%s", payload, FRAME_HEAD);
  server.stamp_at = (size_t)prefix;
  memset(server.frame + prefix, ' ', STAMP);
  int tail = sprintf(server.frame + prefix + STAMP, "%s\r\n", FRAME_TAIL);
  server.frame_length = (size_t)prefix + STAMP + (size_t)tail;

  int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), yes = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  struct sockaddr_in address = loopback(port);
  if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 4096))
    die("port %d: %s", port, strerror(errno));
  server.poll = epoll_create1(EPOLL_CLOEXEC);
  watch(server.poll, EPOLL_CTL_ADD, listener, EPOLLIN, 0);
  server.tick = microseconds() / 1000;
  for (;;) {
    struct epoll_event events[EVENTS];
    int count = epoll_wait(server.poll, events, EVENTS, 1);
    for (int i = 0; i < count; i++) {
      struct stream *stream = (struct stream *)(uintptr_t)events[i].data.u64;
      if (!stream) {
        int descriptor;
        while ((descriptor = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
          without_delay(descriptor);
          stream = allocate(1, sizeof *stream);
          stream->request = allocate(1, REQUEST_MAX);
          stream->descriptor = descriptor;
          stream->open = true;
          watch(server.poll, EPOLL_CTL_ADD, descriptor, EPOLLIN, (uint64_t)(uintptr_t)stream);
        }
        continue;
      }
      if (events[i].events & EPOLLOUT && stream->rest && !put_rest(stream)) {
        leave(stream);
        continue;
      }
      if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR) && !receive_request(stream)) leave(stream);
    }
    int64_t now = microseconds() / 1000;
    // A slot comes round again after 64 ms: one round over them is all that can be due.
    int64_t rounds = now - server.tick > SLOTS ? SLOTS : now - server.tick;
    for (int64_t i = 0; i < rounds; i++) {
      server.tick++;
      struct stream *stream = server.slots[server.tick % SLOTS];
      server.slots[server.tick % SLOTS] = NULL;
      while (stream) {
        struct stream *next = stream->next;
        stream->pacing = false;
        if (!stream->open || !step(stream)) leave(stream);
        stream = next;
      }
    }
    server.tick = now;
  }
}

// --- streams: many at once, each frame checked -----------------------------------------------------------------------

struct reader {
  int descriptor;  // -1: not opened yet, or over
  uint32_t label;
  long next;
  int64_t asked, last;
  bool usage, done;
  struct answer answer;
  char line[LINE_MAX_BYTES];
  size_t used;
};

static struct {
  long frames;
  int64_t read_at;  // one clock reading for what one read brought
  uint64_t seen;
  struct samples late, first;
  int64_t widest;
} reading;

static bool stamp(const char *at, size_t length, uint64_t *label, uint64_t *place, uint64_t *due) {
  uint64_t values[3] = {0, 0, 0};
  static const int widths[3] = {8, 8, 16};
  if (length < STAMP) return false;
  for (int field = 0; field < 3; field++) {
    for (int i = 0; i < widths[field]; i++, at++) {
      if (*at < '0' || *at > '9') return false;
      values[field] = values[field] * 10 + (uint64_t)(*at - '0');
    }
    if (field < 2 && *at++ != ' ') return false;
  }
  *label = values[0], *place = values[1], *due = values[2];
  return true;
}

static const char *frame_line(struct reader *reader, const char *line, size_t length) {
  static const char content[] = "\"content\":\"";
  if (!length) return NULL;
  if (length < 6 || memcmp(line, "data: ", 6)) return "a line that is no data of an event";
  if (reader->done) return "an event behind [DONE]";
  if (length == 12 && !memcmp(line + 6, "[DONE]", 6)) {
    if (reader->next != reading.frames) return "[DONE] before the last frame";
    if (!reader->usage) return "no usage that was asked for";
    reader->done = true;
    return NULL;
  }
  const char *at = memmem(line, length, content, sizeof content - 1);
  if (!at) {
    // The event that ends the text says nothing else; a proxy may make one of its own.
    bool ends = memmem(line, length, "\"finish_reason\":\"stop\"", 22) != NULL;
    bool tells = memmem(line, length, "\"usage\":{", 9) != NULL;
    if (!ends && !tells) return "an event that the upstream never sent";
    if (reader->next != reading.frames) return "an end before the last frame";
    reader->usage |= tells;
    return NULL;
  }
  at += sizeof content - 1;
  uint64_t label, place, due;
  if (!stamp(at, length - (size_t)(at - line), &label, &place, &due)) return "a frame without its stamp";
  if (label != reader->label) return "a frame of another stream";
  if (place != (uint64_t)reader->next) return "a frame out of order, missing or twice";
  if (!reader->next) take(&reading.first, reading.read_at - reader->asked);
  int64_t late = reading.read_at - (int64_t)due;
  take(&reading.late, late);
  int64_t gap = reader->next ? reading.read_at - reader->last : 0;
  if (gap > reading.widest) reading.widest = gap;
  reader->last = reading.read_at;
  reader->next++;
  reading.seen++;
  return late > STALL ? "a frame more than 200 ms after it was due" : NULL;
}

static const char *frame_bytes(void *owner, const char *bytes, size_t count) {
  struct reader *reader = owner;
  if (reader->answer.status != 200) return "a status other than 200";
  while (count) {
    const char *end = memchr(bytes, '\n', count);
    size_t part = end ? (size_t)(end - bytes) : count;
    if (reader->used + part > sizeof reader->line) return "an event without end";
    const char *wrong = NULL;
    if (end && !reader->used) {
      wrong = frame_line(reader, bytes, part);
    } else {
      memcpy(reader->line + reader->used, bytes, part);
      reader->used += part;
      if (end) {
        wrong = frame_line(reader, reader->line, reader->used);
        reader->used = 0;
      }
    }
    if (wrong) return wrong;
    bytes += part + (end != NULL);
    count -= part + (end != NULL);
  }
  return NULL;
}

static int dial(int port) {
  int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  struct sockaddr_in address = loopback(port);
  if (descriptor < 0) die("socket: %s", strerror(errno));
  if (connect(descriptor, (struct sockaddr *)&address, sizeof address)) {
    close(descriptor);
    return -1;
  }
  fcntl(descriptor, F_SETFL, O_NONBLOCK);
  without_delay(descriptor);
  return descriptor;
}

static const char *ask_stream(struct reader *reader, int poll, int port, uint64_t index) {
  char body[256], request[1024];
  snprintf(
      body, sizeof body,
      "{\"model\":\"mock/gpt-4o-mini\",\"stream\":true,\"stream_options\":{\"include_usage\":true},"
      "\"user\":\"stream-%08u\",\"messages\":[{\"role\":\"user\",\"content\":\"How long is a block?\"}]}",
      reader->label);
  size_t length = build_request(request, sizeof request, body);
  reader->descriptor = dial(port);
  if (reader->descriptor < 0) return "a connection refused";
  reader->asked = microseconds();
  if (send(reader->descriptor, request, length, MSG_NOSIGNAL) != (ssize_t)length) return "a request not taken";
  watch(poll, EPOLL_CTL_ADD, reader->descriptor, EPOLLIN, index);
  return NULL;
}

static const char *read_stream(struct reader *reader) {
  static char bytes[65536];
  for (;;) {
    ssize_t count = read(reader->descriptor, bytes, sizeof bytes);
    if (count < 0) return errno == EAGAIN ? NULL : "a connection broken";
    if (count == 0) return "a connection closed before the end";
    reading.read_at = microseconds();
    const char *wrong = feed(&reader->answer, bytes, (size_t)count, frame_bytes, reader);
    if (wrong) return wrong;
    if (reader->answer.phase == DONE) {
      if (!reader->done) return reader->answer.status == 200 ? "an end without [DONE]" : "a status other than 200";
      close(reader->descriptor);
      reader->descriptor = -1;
      return NULL;
    }
    if ((size_t)count < sizeof bytes) return NULL;
  }
}

/// Opens `count` streams evenly over `ramp` milliseconds and reads them to their ends, or to the first broken rule.
static int streams(int port, long count, long ramp, long frames) {
  reading.frames = frames;
  struct reader *readers = allocate((size_t)count, sizeof *readers);
  for (long i = 0; i < count; i++) {
    readers[i].descriptor = -1;
    readers[i].label = (uint32_t)i + 1;
    expect_answer(&readers[i].answer);
  }
  int poll = epoll_create1(EPOLL_CLOEXEC);
  int64_t began = microseconds(), limit = began + ramp * 1000 + frames * INTERVAL + 5000000;
  long opened = 0, ended = 0, most = 0;
  const char *wrong = NULL;
  while (!wrong && ended < count) {
    int64_t now = microseconds();
    if (now > limit) {
      wrong = "streams that do not end";
      break;
    }
    // At most a few at a time, so that those already open are read meanwhile.
    for (int burst = 0; burst < 8 && opened < count && now >= began + opened * ramp * 1000 / count && !wrong; burst++) {
      wrong = ask_stream(&readers[opened], poll, port, (uint64_t)opened);
      opened++;
    }
    if (opened - ended > most) most = opened - ended;
    struct epoll_event events[EVENTS];
    int ready = epoll_wait(poll, events, EVENTS, opened < count ? 1 : 50);
    for (int i = 0; i < ready && !wrong; i++) {
      struct reader *reader = &readers[events[i].data.u64];
      wrong = read_stream(reader);
      if (!wrong && reader->descriptor < 0) ended++;
    }
  }
  printf("{\"streams\":%ld,\"holds\":%s,\"reason\":%s%s%s,\"atOnce\":%ld,\"ended\":%ld,\"frames\":%llu,", count,
         wrong ? "false" : "true", wrong ? "\"" : "", wrong ? wrong : "null", wrong ? "\"" : "", most, ended,
         (unsigned long long)reading.seen);
  printf("\"seconds\":%.2f,\"widestGap\":%lld,\"late\":{", (double)(microseconds() - began) / 1e6,
         (long long)reading.widest);
  print_samples(&reading.late);
  printf("},\"first\":{");
  print_samples(&reading.first);
  printf("}}\n");
  return 0;
}

// --- rate: requests on a schedule ------------------------------------------------------------------------------------

struct caller {
  int descriptor, target;
  int64_t next;     // nanoseconds: when the next request is due
  int64_t due;      // of the request under way
  bool busy;
  struct answer answer;
};

static const char *nothing(void *owner, const char *bytes, size_t count) {
  (void)owner, (void)bytes, (void)count;
  return NULL;
}

static const char *call(struct caller *caller, const char *request, size_t length, int64_t every) {
  caller->due = caller->next;
  caller->next += every;
  caller->busy = true;
  expect_answer(&caller->answer);
  return send(caller->descriptor, request, length, MSG_NOSIGNAL) == (ssize_t)length ? NULL : "a request not taken";
}

static const char *collect(struct caller *caller, uint64_t expected, struct samples *samples) {
  char bytes[16384];
  for (;;) {
    ssize_t count = read(caller->descriptor, bytes, sizeof bytes);
    if (count < 0) return errno == EAGAIN ? NULL : "a connection broken";
    if (count == 0) return "a connection closed";
    if (!caller->busy) return "bytes that nobody asked for";
    const char *wrong = feed(&caller->answer, bytes, (size_t)count, nothing, NULL);
    if (wrong) return wrong;
    if (caller->answer.phase != DONE) continue;
    if (caller->answer.status != 200) return "a status other than 200";
    if (caller->answer.body != expected) return "an answer of another length";
    take(samples, (nanoseconds() - caller->due) / 1000);
    caller->busy = false;
    return NULL;
  }
}

/// Each connection has a schedule of its own; a request that finds its connection busy is sent late and counts from
/// when it was due. What is due but unanswered when the time is over is counted as late as it is then.
static int rate(long each, long seconds, long connections, long expected, int targets, const int *ports) {
  char request[1024];
  size_t length = build_request(
      request, sizeof request,
      "{\"model\":\"mock/gpt-4o-mini\",\"messages\":[{\"role\":\"user\",\"content\":\"How long is a block section?\"}]}");
  long callers_count = connections * targets;
  struct caller *callers = allocate((size_t)callers_count, sizeof *callers);
  struct samples *samples = allocate((size_t)targets, sizeof *samples), waking = {0};
  int poll = epoll_create1(EPOLL_CLOEXEC);
  int64_t every = (int64_t)(1e9 * (double)connections / (double)each);
  int64_t began = nanoseconds() + 20000000, end = began + seconds * 1000000000;
  const char *wrong = NULL;
  int wrong_port = 0;
  for (long i = 0; i < callers_count; i++) {
    struct caller *caller = &callers[i];
    caller->target = (int)(i % targets);
    caller->descriptor = dial(ports[caller->target]);
    if (caller->descriptor < 0) die("port %d: %s", ports[caller->target], strerror(errno));
    // Spread over the interval, the targets taking turns.
    caller->next = began + every * i / callers_count;
    watch(poll, EPOLL_CTL_ADD, caller->descriptor, EPOLLIN, (uint64_t)i);
  }
  int64_t now = nanoseconds(), last = end + 2000000000;
  while (!wrong && now < last) {
    now = nanoseconds();
    int64_t soonest = end;
    for (long i = 0; i < callers_count && now < end && !wrong; i++) {
      struct caller *caller = &callers[i];
      if (caller->busy) continue;
      if (caller->next <= now) {
        take(&waking, (now - caller->next) / 1000);
        wrong = call(caller, request, length, every);
        wrong_port = ports[caller->target];
      } else if (caller->next < soonest) {
        soonest = caller->next;
      }
    }
    long busy = 0;
    if (now >= end) {
      for (long i = 0; i < callers_count; i++) busy += callers[i].busy;
      if (!busy) break;
    }
    int64_t pause = now >= end ? 10000000 : soonest > now ? soonest - now : 0;
    struct timespec until = {.tv_sec = pause / 1000000000, .tv_nsec = pause % 1000000000};
    struct epoll_event events[EVENTS];
    int ready = epoll_pwait2(poll, events, EVENTS, &until, NULL);
    for (int i = 0; i < ready && !wrong; i++) {
      struct caller *caller = &callers[events[i].data.u64];
      wrong = collect(caller, (uint64_t)expected, &samples[caller->target]);
      wrong_port = ports[caller->target];
      // What fell due meanwhile goes out at once, one at a time.
      if (!wrong && !caller->busy && caller->next <= nanoseconds() && caller->next < end)
        wrong = call(caller, request, length, every);
    }
  }
  uint64_t unanswered = 0;
  now = nanoseconds();
  for (long i = 0; i < callers_count && !wrong; i++) {
    if (callers[i].busy) unanswered++, take(&samples[callers[i].target], (now - callers[i].due) / 1000);
    for (; callers[i].next < end; callers[i].next += every)
      unanswered++, take(&samples[callers[i].target], (now - callers[i].next) / 1000);
  }
  if (wrong) {
    fprintf(stderr, "load: port %d: %s\n", wrong_port, wrong);
    return 1;
  }
  printf("{\"rate\":%ld,\"seconds\":%ld,\"connections\":%ld,\"unanswered\":%llu,\"waking\":{", each, seconds,
         connections, (unsigned long long)unanswered);
  print_samples(&waking);
  printf("},\"targets\":[");
  for (int i = 0; i < targets; i++) {
    printf("%s{", i ? "," : "");
    print_samples(&samples[i]);
    printf("}");
  }
  printf("]}\n");
  return 0;
}

int main(int count, char **words) {
  struct rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  // The kernel may otherwise wake a sleeper 50 µs late to save power.
  prctl(PR_SET_TIMERSLACK, 1);
  if (count == 4 && !strcmp(words[1], "serve"))
    serve((int)number(words[2], 1, 65535, "PORT"), number(words[3], 1, 1000000, "FRAMES"));
  if (count == 6 && !strcmp(words[1], "streams"))
    return streams((int)number(words[2], 1, 65535, "PORT"), number(words[3], 1, 16384, "COUNT"),
                   number(words[4], 0, 60000, "RAMP_MS"), number(words[5], 1, 1000000, "FRAMES"));
  if (count >= 7 && count <= 14 && !strcmp(words[1], "rate")) {
    int ports[8];
    for (int i = 6; i < count; i++) ports[i - 6] = (int)number(words[i], 1, 65535, "PORT");
    return rate(number(words[2], 1, 1000000, "RATE"), number(words[3], 1, 600, "SECONDS"),
                number(words[4], 1, 4096, "CONNECTIONS"), number(words[5], 0, 1L << 30, "BYTES"), count - 6, ports);
  }
  die("usage: load serve PORT FRAMES | load streams PORT COUNT RAMP_MS FRAMES | "
      "load rate RATE SECONDS CONNECTIONS BYTES PORT…");
}
