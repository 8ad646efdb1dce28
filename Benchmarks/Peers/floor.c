// The floor: what a WebSocket server costs on this machine that does nothing else. One thread, one epoll loop, no
// storage, no accounts, no checks of what comes in; frames are unmasked and go on as they are.
//
//   floor PORT      0: any free port. Prints "listening on PORT".
//
//   /echo           pings are answered (everywhere)
//   /pair/N         text goes to the connection /pair/(N xor 1)
//   /room           text goes to everybody else in the room
//
// Writes are gathered and go out once per socket and turn of the loop, as a serious server does it.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

enum { MOST = 65536, CHUNK = 256 * 1024 };

typedef struct {
    uint8_t *bytes;
    size_t count, space;
} Buffer;

typedef struct {
    int open, upgraded, number, room_place, waiting, blocked;
    Buffer in, out;
} Connection;

static Connection connections[MOST];
static int pairs[MOST], room[MOST], room_count, flushing[MOST], flushing_count, poller;
static uint8_t chunk[CHUNK];

static void append(Buffer *buffer, const void *bytes, size_t count) {
    if (buffer->count + count > buffer->space) {
        buffer->space = (buffer->count + count) * 2 < 256 ? 256 : (buffer->count + count) * 2;
        buffer->bytes = realloc(buffer->bytes, buffer->space);
        if (!buffer->bytes) abort();
    }
    memcpy(buffer->bytes + buffer->count, bytes, count);
    buffer->count += count;
}

static void release(Buffer *buffer) {
    free(buffer->bytes);
    *buffer = (Buffer){0};
}

static void end(int file) {
    Connection *connection = &connections[file];
    if (!connection->open) return;
    if (connection->number >= 0) pairs[connection->number] = 0;
    if (connection->room_place >= 0) {
        room[connection->room_place] = room[--room_count];
        connections[room[connection->room_place]].room_place = connection->room_place;
    }
    release(&connection->in);
    release(&connection->out);
    int waiting = connection->waiting;
    *connection = (Connection){.waiting = waiting, .number = -1, .room_place = -1};
    close(file);
}

// What a socket does not take stays, and goes when the socket is ready again.
static void flush(int file) {
    Connection *connection = &connections[file];
    if (!connection->open || connection->blocked || !connection->out.count) return;
    ssize_t written = send(file, connection->out.bytes, connection->out.count, MSG_NOSIGNAL);
    if (written == (ssize_t)connection->out.count) {
        release(&connection->out);
        return;
    }
    if (written < 0 && errno != EAGAIN) return end(file);
    if (written > 0) {
        connection->out.count -= (size_t)written;
        memmove(connection->out.bytes, connection->out.bytes + written, connection->out.count);
    }
    connection->blocked = 1;
    epoll_ctl(poller, EPOLL_CTL_MOD, file, &(struct epoll_event){.events = EPOLLIN | EPOLLOUT, .data.fd = file});
}

static void write_later(int file, const void *bytes, size_t count) {
    Connection *connection = &connections[file];
    append(&connection->out, bytes, count);
    if (connection->waiting) return;
    connection->waiting = 1;
    flushing[flushing_count++] = file;
}

static void write_frame(int file, uint8_t opcode, const uint8_t *payload, size_t count) {
    uint8_t head[4] = {0x80 | opcode, (uint8_t)count};
    size_t size = 2;
    if (count > 125) {
        head[1] = 126;
        head[2] = (uint8_t)(count >> 8);
        head[3] = (uint8_t)count;
        size = 4;
    }
    write_later(file, head, size);
    write_later(file, payload, count);
}

// MARK: Handshake

static uint32_t rotate(uint32_t value, int by) { return value << by | value >> (32 - by); }

// SHA-1 of at most 119 bytes.
static void sha1(const char *text, size_t count, uint8_t digest[20]) {
    uint32_t h[5] = {0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0};
    uint8_t blocks[128] = {0};
    memcpy(blocks, text, count);
    blocks[count] = 0x80;
    size_t size = count < 56 ? 64 : 128;
    blocks[size - 2] = (uint8_t)(count * 8 >> 8);
    blocks[size - 1] = (uint8_t)(count * 8);
    for (size_t block = 0; block < size; block += 64) {
        uint32_t w[80], a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];
        for (int i = 0; i < 80; i++) {
            const uint8_t *p = blocks + block + i * 4;
            w[i] = i < 16 ? (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3]
                          : rotate(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
            uint32_t f = i < 20   ? ((b & c) | (~b & d)) + 0x5A827999
                         : i < 40 ? (b ^ c ^ d) + 0x6ED9EBA1
                         : i < 60 ? ((b & c) | (b & d) | (c & d)) + 0x8F1BBCDC
                                  : (b ^ c ^ d) + 0xCA62C1D6;
            uint32_t next = rotate(a, 5) + f + e + w[i];
            e = d, d = c, c = rotate(b, 30), b = a, a = next;
        }
        h[0] += a, h[1] += b, h[2] += c, h[3] += d, h[4] += e;
    }
    for (int i = 0; i < 20; i++) digest[i] = (uint8_t)(h[i / 4] >> (24 - i % 4 * 8));
}

// Takes a request that is whole; returns its bytes, 0 where more are needed, -1 where it is no handshake.
static ssize_t handshake(int file, const uint8_t *bytes, size_t count) {
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    Connection *connection = &connections[file];
    const uint8_t *stop = memmem(bytes, count, "\r\n\r\n", 4);
    if (!stop) return count > 8192 ? -1 : 0;
    const char *key = memmem(bytes, (size_t)(stop - bytes), "Sec-WebSocket-Key: ", 19);
    if (!key || memcmp(bytes, "GET /", 5) || (const uint8_t *)key + 19 + 24 > stop) return -1;

    char text[60], answer[256], acceptance[29] = {0};
    uint8_t digest[21] = {0};
    memcpy(text, key + 19, 24);
    memcpy(text + 24, "258EAFA5-E914-47DA-95CA-C5AB0DC85B11", 36);
    sha1(text, 60, digest);
    for (int i = 0; i < 7; i++) {
        uint32_t group = (uint32_t)digest[i * 3] << 16 | (uint32_t)digest[i * 3 + 1] << 8 | digest[i * 3 + 2];
        for (int j = 0; j < 4; j++) acceptance[i * 4 + j] = letters[group >> (18 - j * 6) & 63];
    }
    acceptance[27] = '=';
    int size = snprintf(answer, sizeof answer,
                        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                        "Sec-WebSocket-Accept: %s\r\n\r\n", acceptance);
    write_later(file, answer, (size_t)size);
    connection->upgraded = 1;
    if (!memcmp(bytes, "GET /pair/", 10)) {
        int number = atoi((const char *)bytes + 10);
        if (number < 0 || number >= MOST) return -1;
        connection->number = number;
        pairs[number] = file;
    } else if (!memcmp(bytes, "GET /room", 9)) {
        connection->room_place = room_count;
        room[room_count++] = file;
    }
    return stop + 4 - bytes;
}

// MARK: Frames

// Takes one frame that is whole; returns as `handshake` does.
static ssize_t frame(int file, uint8_t *bytes, size_t count) {
    Connection *connection = &connections[file];
    if (count < 6) return 0;
    size_t length = bytes[1] & 0x7F, start = 2;
    if (length == 127 || !(bytes[1] & 0x80)) return -1;
    if (length == 126) {
        length = (size_t)bytes[2] << 8 | bytes[3];
        start = 4;
    }
    if (count < start + 4 + length) return 0;
    uint8_t *payload = bytes + start + 4;
    uint32_t mask;
    memcpy(&mask, bytes + start, 4);
    size_t index = 0;
    for (; index + 8 <= length; index += 8) {
        uint64_t word;
        memcpy(&word, payload + index, 8);
        word ^= (uint64_t)mask << 32 | mask;
        memcpy(payload + index, &word, 8);
    }
    for (; index < length; index++) payload[index] ^= bytes[start + index % 4];

    switch (bytes[0] & 15) {
    case 8: return -1;
    case 9: write_frame(file, 10, payload, length); break;
    case 1:
        if (connection->number >= 0 && pairs[connection->number ^ 1])
            write_frame(pairs[connection->number ^ 1], 1, payload, length);
        for (int i = 0; connection->room_place >= 0 && i < room_count; i++)
            if (room[i] != file) write_frame(room[i], 1, payload, length);
    }
    return (ssize_t)(start + 4 + length);
}

// Reads what is there into one buffer for all; only half a frame is kept by connection.
static void receive(int file) {
    Connection *connection = &connections[file];
    size_t kept = connection->in.count;
    if (kept) memcpy(chunk, connection->in.bytes, kept);
    ssize_t got = recv(file, chunk + kept, CHUNK - kept, 0);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) return end(file);
    release(&connection->in);
    size_t count = kept + (size_t)got, used = 0;
    while (used < count) {
        ssize_t taken = connection->upgraded ? frame(file, chunk + used, count - used)
                                             : handshake(file, chunk + used, count - used);
        if (taken < 0) return end(file);
        if (taken == 0) break;
        used += (size_t)taken;
    }
    if (used < count) append(&connection->in, chunk + used, count - used);
}

int main(int count, char **arguments) {
    signal(SIGPIPE, SIG_IGN);
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    address.sin_port = htons((uint16_t)(count > 1 ? atoi(arguments[1]) : 0));
    socklen_t size = sizeof address;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (struct sockaddr *)&address, size) || listen(listener, 1024)) return perror("floor"), 1;
    getsockname(listener, (struct sockaddr *)&address, &size);
    printf("listening on %d\n", ntohs(address.sin_port));
    fflush(stdout);

    poller = epoll_create1(0);
    epoll_ctl(poller, EPOLL_CTL_ADD, listener, &(struct epoll_event){.events = EPOLLIN, .data.fd = listener});
    struct epoll_event events[512];
    for (;;) {
        int ready = epoll_wait(poller, events, 512, -1);
        for (int i = 0; i < ready; i++) {
            int file = events[i].data.fd;
            if (file == listener) {
                int accepted;
                while ((accepted = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
                    if (accepted >= MOST) { close(accepted); continue; }
                    setsockopt(accepted, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
                    int waiting = connections[accepted].waiting;
                    connections[accepted] = (Connection){.open = 1, .number = -1, .room_place = -1, .waiting = waiting};
                    epoll_ctl(poller, EPOLL_CTL_ADD, accepted, &(struct epoll_event){.events = EPOLLIN, .data.fd = accepted});
                }
                continue;
            }
            if (events[i].events & EPOLLOUT && connections[file].open) {
                connections[file].blocked = 0;
                epoll_ctl(poller, EPOLL_CTL_MOD, file, &(struct epoll_event){.events = EPOLLIN, .data.fd = file});
                flush(file);
            }
            if (events[i].events & ~EPOLLOUT && connections[file].open) receive(file);
        }
        for (int i = 0; i < flushing_count; i++) {
            connections[flushing[i]].waiting = 0;
            flush(flushing[i]);
        }
        flushing_count = 0;
    }
}
