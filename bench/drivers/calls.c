/* calls.c - C connections, each sending one plain chat completion after another, for some seconds, on loopback.
 *
 *   calls -p port -u /v1/chat/completions -k KEY -m mock -c 16 -s 5 [-K prompt_kilobytes]
 *
 * Prints one JSON line. An answer counts when it has status 200; it ends where its content-length (or last chunk) says.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

typedef struct { int fd; size_t sent, len; uint64_t t0; char in[16384]; } C;
static uint64_t now_ns(void) { struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t); return (uint64_t)t.tv_sec * 1000000000ull + t.tv_nsec; }
static int cmp(const void *a, const void *b) { uint32_t x = *(uint32_t *)a, y = *(uint32_t *)b; return x < y ? -1 : x > y; }
static char *req; static size_t rl; static struct sockaddr_in addr; static int ep; static long errors;

static void dial(C *c) {
    int one = 1;
    c->fd = socket(AF_INET, SOCK_STREAM, 0); c->len = c->sent = 0;
    if (connect(c->fd, (void *)&addr, sizeof addr)) { perror("connect"); exit(1); }
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct epoll_event e = { EPOLLOUT, { .ptr = c } }; epoll_ctl(ep, EPOLL_CTL_ADD, c->fd, &e);
}
static void aim(C *c, uint32_t what) { struct epoll_event e = { what, { .ptr = c } }; epoll_ctl(ep, EPOLL_CTL_MOD, c->fd, &e); }
/* the answer's whole length when it is known and there, else 0 */
static size_t whole(C *c) {
    char *he = memmem(c->in, c->len, "\r\n\r\n", 4);
    if (!he) return 0;
    size_t head = he + 4 - c->in;
    for (char *p = memchr(c->in, '\n', head); p && p < he; p = memchr(p + 1, '\n', he - p))
        if (!strncasecmp(p + 1, "content-length:", 15)) { size_t n = head + strtoul(p + 16, 0, 10); return c->len >= n ? n : 0; }
    return c->len >= head + 5 && !memcmp(c->in + c->len - 5, "0\r\n\r\n", 5) ? c->len : 0;
}

int main(int argc, char **argv) {
    int port = 9900, conns = 16, seconds = 5, kb = 0, o;
    const char *path = "/v1/chat/completions", *key = "sk-bench", *model = "mock";
    while ((o = getopt(argc, argv, "p:u:k:m:c:s:K:")) > 0) switch (o) {
        case 'p': port = atoi(optarg); break; case 'u': path = optarg; break; case 'k': key = optarg; break; case 'm': model = optarg; break;
        case 'c': conns = atoi(optarg); break; case 's': seconds = atoi(optarg); break; case 'K': kb = atoi(optarg); break; default: return 2; }
    signal(SIGPIPE, SIG_IGN);
    char *pad = malloc(kb * 1024 + 1); for (int i = 0; i < kb * 1024; i++) pad[i] = "All work and no play. "[i % 22]; pad[kb * 1024] = 0;
    char *body; int bl = asprintf(&body, "{\"model\":\"%s\",\"messages\":[{\"role\":\"system\",\"content\":\"You are a helpful assistant.\"},"
        "{\"role\":\"user\",\"content\":\"Explain in one paragraph what a binary heap is and when to use it. %s\"}]}", model, pad);
    rl = asprintf(&req, "POST %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", path, port, key, bl, body);
    addr = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    ep = epoll_create1(0);
    C *c = calloc(conns, sizeof *c);
    for (int i = 0; i < conns; i++) dial(&c[i]);
    long most = 20000000, n = 0, bad = 0; uint32_t *lat = malloc(4 * most);
    uint64_t begin = now_ns(), end = begin + (uint64_t)seconds * 1000000000ull, now = begin;
    struct epoll_event ev[256];
    while (now < end) {
        int k = epoll_wait(ep, ev, 256, 100);
        now = now_ns();
        for (int i = 0; i < k; i++) {
            C *x = ev[i].data.ptr;
            if (x->sent < rl) {
                if (!x->sent) x->t0 = now_ns();
                ssize_t r = send(x->fd, req + x->sent, rl - x->sent, MSG_DONTWAIT);
                if (r < 0 && errno != EAGAIN) { errors++; close(x->fd); dial(x); continue; }
                if (r > 0 && (x->sent += r) == rl) aim(x, EPOLLIN);
                continue;
            }
            ssize_t r = recv(x->fd, x->in + x->len, sizeof x->in - x->len, 0);
            if (r <= 0) { errors++; close(x->fd); dial(x); continue; }
            x->len += r;
            if (!whole(x)) continue;
            if (memcmp(x->in + 9, "200", 3)) { if (!bad++) fprintf(stderr, "%.*s\n", (int)x->len, x->in); }
            if (n < most) lat[n++] = (now_ns() - x->t0) / 1000;
            x->len = x->sent = 0; aim(x, EPOLLOUT);
        }
    }
    double wall = (now_ns() - begin) / 1e9;
    qsort(lat, n, 4, cmp);
    printf("{\"requests\":%ld,\"seconds\":%.3f,\"bad_status\":%ld,\"errors\":%ld,\"p50_ms\":%.3f,\"p99_ms\":%.3f}\n",
           n, wall, bad, errors, n ? lat[n / 2] / 1e3 : 0, n ? lat[n * 99 / 100] / 1e3 : 0);
    return 0;
}
