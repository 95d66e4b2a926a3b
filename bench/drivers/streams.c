/* streams.c - S concurrent SSE chat completions against any OpenAI-compatible base URL on loopback.
 *
 *   streams -p port -u /v1/chat/completions -k KEY -m mock-100-40 -n 100 -S 500 [-r ramp_ms]
 *              [-t timeout_s] [-H "Name: value"] [-b extra_json_members] [-a abort_after_chunks]
 *
 * Prints one JSON line. ttft_ms: from the request's last byte sent to the first content chunk.
 * lag_ms: for each content chunk, time received minus the time the mock stamped into it.
 * A stream is complete when it had status 200, exactly n content chunks and [DONE].
 * -a N: every client hangs up after N chunks; "hangups" says when, CLOCK_MONOTONIC microseconds, in order.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

typedef struct { int fd, sent, status, n, done, over; uint64_t t0; char tail[40]; int tl; } S;
static uint64_t now_ns(void) { struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t); return (uint64_t)t.tv_sec * 1000000000ull + t.tv_nsec; }
static int cmp(const void *a, const void *b) { uint32_t x = *(uint32_t *)a, y = *(uint32_t *)b; return x < y ? -1 : x > y; }
static void pct(const char *name, uint32_t *v, long n) {
    if (!n) { printf(",\"%s\":null", name); return; }
    qsort(v, n, 4, cmp);
    printf(",\"%s\":{\"p50\":%.3f,\"p95\":%.3f,\"p99\":%.3f,\"max\":%.3f}", name, v[n/2] / 1e3, v[n*95/100] / 1e3, v[n*99/100] / 1e3, v[n-1] / 1e3);
}

int main(int argc, char **argv) {
    int port = 9900, streams = 50, expect = 100, ramp = 1000, timeout = 60, abrt = 0, o;
    const char *path = "/v1/chat/completions", *key = "sk-bench", *model = "mock-100-40", *extra = "", *hdr = "";
    while ((o = getopt(argc, argv, "p:u:k:m:n:S:r:t:H:b:a:")) > 0) switch (o) {
        case 'p': port = atoi(optarg); break; case 'u': path = optarg; break; case 'k': key = optarg; break;
        case 'm': model = optarg; break; case 'n': expect = atoi(optarg); break; case 'S': streams = atoi(optarg); break;
        case 'r': ramp = atoi(optarg); break; case 't': timeout = atoi(optarg); break; case 'H': hdr = optarg; break;
        case 'b': extra = optarg; break; case 'a': abrt = atoi(optarg); break; default: return 2; }
    signal(SIGPIPE, SIG_IGN);
    char body[2048], req[4096];
    snprintf(body, sizeof body, "{\"model\":\"%s\",\"stream\":true,\"stream_options\":{\"include_usage\":true},\"messages\":[{\"role\":\"system\",\"content\":\"You are a helpful assistant.\"},"
             "{\"role\":\"user\",\"content\":\"Explain in one paragraph what a binary heap is and when to use it.\"}]%s%s}", model, *extra ? "," : "", extra);
    int rl = snprintf(req, sizeof req, "POST %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nAccept: text/event-stream\r\n%s%sContent-Length: %zu\r\n\r\n%s",
                      path, port, key, hdr, *hdr ? "\r\n" : "", strlen(body), body);
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    S *s = calloc(streams, sizeof *s);
    uint32_t *lag = malloc(4L * streams * (expect + 10)), *ttft = malloc(4L * streams), *first = malloc(4L * streams);
    uint64_t *hangups = malloc(8L * streams);
    long nl = 0, nt = 0, chunks = 0, reads = 0, complete = 0, failed = 0, aborted = 0, bad_status = 0;
    int ep = epoll_create1(0), started = 0, over = 0, peak = 0, one = 1;
    uint64_t begin = now_ns(), end = begin + (uint64_t)timeout * 1000000000ull, now = begin;
    static char buf[65536 + 64];
    struct epoll_event ev[512];
    while (over < streams && now < end) {
        int due = ramp > 0 ? (int)((now - begin) / 1000 * streams / ((uint64_t)ramp * 1000)) + 1 : streams;
        while (started < streams && started < due) {
            S *x = &s[started++];
            x->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
            setsockopt(x->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
            connect(x->fd, (void *)&a, sizeof a);
            struct epoll_event e = { EPOLLOUT, { .ptr = x } }; epoll_ctl(ep, EPOLL_CTL_ADD, x->fd, &e);
        }
        if (started - over > peak) peak = started - over;
        int n = epoll_wait(ep, ev, 512, started < streams ? 1 : 100);
        now = now_ns();
        for (int i = 0; i < n; i++) {
            S *x = ev[i].data.ptr;
            if (x->over) continue;
            if (!x->sent) {
                if (ev[i].events & (EPOLLERR | EPOLLHUP)) { x->over = 1; over++; failed++; close(x->fd); continue; }
                if (send(x->fd, req, rl, 0) != rl) { x->over = 1; over++; failed++; close(x->fd); continue; }
                x->sent = 1; x->t0 = now_ns();
                struct epoll_event e = { EPOLLIN, { .ptr = x } }; epoll_ctl(ep, EPOLL_CTL_MOD, x->fd, &e);
                continue;
            }
            memcpy(buf, x->tail, x->tl);
            ssize_t r = recv(x->fd, buf + x->tl, 65536, 0);
            if (r < 0 && errno == EAGAIN) continue;
            uint64_t t = now_ns(); reads++;
            if (r > 0) {
                size_t len = x->tl + r; char *p = buf, *e = buf + len, *q;
                if (!x->status && len >= 12) { x->status = atoi(buf + 9); if (x->status != 200) { bad_status++; if (bad_status == 1) fprintf(stderr, "%.*s\n", (int)(len > 600 ? 600 : len), buf); } }
                while ((q = memmem(p, e - p, " t=", 3)) && e - q >= 19) {
                    uint64_t st = strtoull(q + 3, 0, 10); uint32_t us = t > st ? (t - st) / 1000 : 0;
                    if (x->n < expect + 10) lag[nl++] = us;
                    if (!x->n++) { ttft[nt] = (t - x->t0) / 1000; first[nt++] = us; }
                    chunks++; p = q + 19;
                }
                if (memmem(buf, len, "[DONE]", 6)) x->done = 1;
                int keep = e - p > 24 ? 24 : e - p;
                memcpy(x->tail, e - keep, keep); x->tl = keep;
            }
            if (abrt && x->n >= abrt) { x->over = 1; over++; hangups[aborted++] = now_ns() / 1000; close(x->fd); continue; }
            if (r <= 0 || x->done || (x->status && x->status != 200)) {
                if (x->done && x->status == 200 && x->n == expect) complete++; else failed++;
                x->over = 1; over++; close(x->fd);
            }
        }
    }
    double wall = (now_ns() - begin) / 1e9;
    printf("{\"streams\":%d,\"peak\":%d,\"complete\":%ld,\"failed\":%ld,\"timed_out\":%d,\"aborted\":%ld,\"bad_status\":%ld,\"chunks\":%ld,\"reads\":%ld,\"wall_s\":%.3f",
           streams, peak, complete, failed, started - over, aborted, bad_status, chunks, reads, wall);
    pct("ttft_ms", ttft, nt); pct("first_lag_ms", first, nt); pct("lag_ms", lag, nl);
    printf(",\"hangups\":[");
    for (long i = 0; i < aborted; i++) printf("%s%llu", i ? "," : "", (unsigned long long)hangups[i]);
    printf("]}\n");
    return 0;
}
