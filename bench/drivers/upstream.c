/* upstream.c - a fixed-answer OpenAI-compatible upstream, far cheaper than any gateway.
 *
 *   upstream [-p port] [-n chunks] [-i interval_ms] [-d delay_ms] [-j jitter_ms]
 *
 * POST /v1/chat/completions   JSON (~600 B, with usage), or SSE when the body asks "stream": true
 * POST /v1/images/generations one small b64 PNG
 * POST /v1/embeddings         one short vector
 * GET  /v1/models             three models
 * GET  /_stats                counters (chat, stream, done, aborted, active, images, bad, bytes_in)
 * GET  /_hangups              when each stream was hung up on, CLOCK_MONOTONIC microseconds, in order
 * POST /_reset                set the counters to 0
 *
 * A request can override the pacing by its model name:  mock-<chunks>-<interval_ms>[-<delay_ms>]
 * Model "mock-fail-<status>" answers with that status.
 * Every content chunk carries " t=<CLOCK_MONOTONIC ns, 16 digits>": a driver on the same machine
 * subtracts it from its own clock and so measures what the gateway adds to each chunk.
 * Single thread, epoll, one heap of timers. Loopback only, by construction.
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
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MAXFD 20000
typedef struct {
    int open, streaming, left, role_sent, usage, heap;   /* heap: index in the heap or -1 */
    int interval, delayed;                       /* delayed: a plain answer waits for its time */
    uint64_t due;
    char *in; size_t len, cap;                   /* request bytes */
    char *out; size_t outlen, outcap;            /* bytes the socket would not take */
} Conn;

static Conn C[MAXFD];
static int heap[MAXFD], hn;
static int ep, def_chunks = 100, def_interval = 40, def_delay = 0, jitter = 0;
static long n_chat, n_stream, n_done, n_aborted, n_active, n_images, n_bad, n_bytes;
static uint64_t hangups[MAXFD]; static int n_hangups;

static uint64_t now_ns(void) {
    struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000ull + t.tv_nsec;
}

/* ---- timers ---- */
static void hswap(int a, int b) { int t = heap[a]; heap[a] = heap[b]; heap[b] = t; C[heap[a]].heap = a; C[heap[b]].heap = b; }
static void hup(int i) { while (i && C[heap[(i-1)/2]].due > C[heap[i]].due) { hswap(i, (i-1)/2); i = (i-1)/2; } }
static void hdown(int i) {
    for (;;) { int l = 2*i+1, m = i;
        if (l < hn && C[heap[l]].due < C[heap[m]].due) m = l;
        if (l+1 < hn && C[heap[l+1]].due < C[heap[m]].due) m = l+1;
        if (m == i) return;
        hswap(i, m); i = m; }
}
static void hpush(int fd, uint64_t due) { C[fd].due = due; C[fd].heap = hn; heap[hn++] = fd; hup(hn-1); }
static void hdel(int fd) { int i = C[fd].heap; if (i < 0) return; hswap(i, --hn); C[fd].heap = -1; if (i < hn) { hup(i); hdown(i); } }

/* ---- output ---- */
static void closefd(int fd) {
    Conn *c = &C[fd];
    if (c->streaming || c->delayed) { n_aborted++; n_active--; if (n_hangups < MAXFD) hangups[n_hangups++] = now_ns() / 1000; }
    hdel(fd); close(fd); free(c->in); free(c->out); memset(c, 0, sizeof *c); c->heap = -1;
}
static void want(int fd, int w) { struct epoll_event e = { EPOLLIN | (w ? EPOLLOUT : 0), { .fd = fd } }; epoll_ctl(ep, EPOLL_CTL_MOD, fd, &e); }
static void put(int fd, const char *b, size_t n) {
    Conn *c = &C[fd];
    if (!c->outlen) {
        ssize_t w = send(fd, b, n, MSG_NOSIGNAL);
        if (w == (ssize_t)n) return;
        if (w < 0) { if (errno != EAGAIN) return; w = 0; }
        b += w; n -= w; want(fd, 1);
    }
    if (c->outlen + n > c->outcap) { c->outcap = (c->outlen + n) * 2; c->out = realloc(c->out, c->outcap); }
    memcpy(c->out + c->outlen, b, n); c->outlen += n;
}
static void flush(int fd) {
    Conn *c = &C[fd];
    ssize_t w = send(fd, c->out, c->outlen, MSG_NOSIGNAL);
    if (w > 0) { memmove(c->out, c->out + w, c->outlen - w); c->outlen -= w; }
    if (!c->outlen) want(fd, 0);
}
static void reply(int fd, const char *status, const char *body) {
    static char b[MAXFD * 24 + 1024];
    int n = snprintf(b, sizeof b, "HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n"
                     "x-request-id: req_mock\r\n\r\n%s", status, strlen(body), body);
    put(fd, b, n);
}
static void event(int fd, const char *data) {          /* one SSE event in one HTTP chunk */
    char b[1024]; int n = strlen(data) + 8;
    put(fd, b, snprintf(b, sizeof b, "%x\r\ndata: %s\n\n\r\n", n, data));
}

/* ---- answers ---- */
static const char *JSON =
 "{\"id\":\"chatcmpl-mock0000000000000000000000\",\"object\":\"chat.completion\",\"created\":1700000000,\"model\":\"mock\","
 "\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"This is a fixed answer of a mock model. It is long "
 "enough to look like the short answers that people get for short questions, and it ends here.\",\"refusal\":null},"
 "\"logprobs\":null,\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":21,\"completion_tokens\":34,\"total_tokens\":55,"
 "\"prompt_tokens_details\":{\"cached_tokens\":0},\"completion_tokens_details\":{\"reasoning_tokens\":0}},\"system_fingerprint\":\"fp_mock\"}";
static const char *SSE = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nCache-Control: no-cache\r\n"
 "Transfer-Encoding: chunked\r\nx-request-id: req_mock\r\n\r\n";
#define HEAD "{\"id\":\"chatcmpl-mock0000000000000000000000\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,\"model\":\"mock\",\"system_fingerprint\":\"fp_mock\","
static const char *IMAGE = "{\"created\":1700000000,\"data\":[{\"b64_json\":\"iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==\"}],"
 "\"usage\":{\"input_tokens\":10,\"output_tokens\":1,\"total_tokens\":11}}";
static const char *MODELS = "{\"object\":\"list\",\"data\":[{\"id\":\"mock\",\"object\":\"model\",\"created\":1700000000,\"owned_by\":\"mock\"},"
 "{\"id\":\"mock-100-40\",\"object\":\"model\",\"created\":1700000000,\"owned_by\":\"mock\"},"
 "{\"id\":\"mock-500-40\",\"object\":\"model\",\"created\":1700000000,\"owned_by\":\"mock\"},"
 "{\"id\":\"mock-image\",\"object\":\"model\",\"created\":1700000000,\"owned_by\":\"mock\"}]}";
static const char *EMB = "{\"object\":\"list\",\"model\":\"mock\",\"data\":[{\"object\":\"embedding\",\"index\":0,\"embedding\":[0.1,0.2,0.3]}],\"usage\":{\"prompt_tokens\":5,\"total_tokens\":5}}";

static void tick(int fd, uint64_t now) {
    Conn *c = &C[fd];
    if (c->delayed) { c->delayed = 0; n_active--; n_done++; reply(fd, "200 OK", JSON); return; }
    char b[512];
    if (c->left > 0) {
        snprintf(b, sizeof b, HEAD "\"choices\":[{\"index\":0,\"delta\":{%s\"content\":\" t=%016llu\"},\"logprobs\":null,\"finish_reason\":null}]}",
                 c->role_sent ? "" : "\"role\":\"assistant\",", (unsigned long long)now_ns());
        c->role_sent = 1; c->left--; event(fd, b);
        hpush(fd, c->due + (uint64_t)c->interval * 1000000 > now ? c->due + (uint64_t)c->interval * 1000000 : now + 1);
        return;
    }
    event(fd, HEAD "\"choices\":[{\"index\":0,\"delta\":{},\"logprobs\":null,\"finish_reason\":\"stop\"}]}");
    if (c->usage) event(fd, HEAD "\"choices\":[],\"usage\":{\"prompt_tokens\":21,\"completion_tokens\":100,\"total_tokens\":121}}");
    event(fd, "[DONE]"); put(fd, "0\r\n\r\n", 5);
    c->streaming = 0; n_active--; n_done++;
}

static int has(const char *b, size_t n, const char *key, const char *val) {     /* "key" : val, spaces allowed */
    const char *p = b, *e = b + n; size_t k = strlen(key), v = strlen(val);
    while ((p = memmem(p, e - p, key, k))) {
        p += k; while (p < e && (*p == ' ' || *p == ':')) p++;
        if ((size_t)(e - p) >= v && !memcmp(p, val, v)) return 1;
    }
    return 0;
}
static void handle(int fd, const char *head, size_t hl, const char *body, size_t bl) {
    Conn *c = &C[fd]; n_bytes += hl + bl;
    if (memmem(head, hl, "GET /_stats", 11) == head) {
        char s[400]; snprintf(s, sizeof s, "{\"chat\":%ld,\"stream\":%ld,\"done\":%ld,\"aborted\":%ld,\"active\":%ld,\"images\":%ld,\"bad\":%ld,\"bytes_in\":%ld}",
                              n_chat, n_stream, n_done, n_aborted, n_active, n_images, n_bad, n_bytes);
        reply(fd, "200 OK", s); return;
    }
    if (!strncmp(head, "GET /_hangups", 13)) {
        char *s = malloc(n_hangups * 24 + 8), *p = s; *p++ = '[';
        for (int i = 0; i < n_hangups; i++) p += sprintf(p, "%s%llu", i ? "," : "", (unsigned long long)hangups[i]);
        strcpy(p, "]"); reply(fd, "200 OK", s); free(s); return;
    }
    if (!strncmp(head, "POST /_reset", 12)) { n_hangups = 0; n_chat = n_stream = n_done = n_aborted = n_images = n_bad = n_bytes = 0; reply(fd, "200 OK", "{}"); return; }
    const char *eol = memchr(head, '\r', hl); size_t l1 = eol ? (size_t)(eol - head) : hl;
    if (memmem(head, l1, "/models", 7)) { reply(fd, "200 OK", MODELS); return; }
    if (memmem(head, l1, "/images/", 8)) { n_images++; reply(fd, "200 OK", IMAGE); return; }
    if (memmem(head, l1, "/embeddings", 11)) { reply(fd, "200 OK", EMB); return; }
    if (!memmem(head, l1, "/chat/completions", 17)) { n_bad++; reply(fd, "404 Not Found", "{\"error\":{\"message\":\"no such route\",\"type\":\"invalid_request_error\"}}"); return; }
    int chunks = def_chunks, interval = def_interval, delay = def_delay, st;
    const char *m = memmem(body, bl, "\"mock-", 6);
    if (m) {
        char tmp[64] = {0}; size_t k = bl - (m - body); memcpy(tmp, m + 1, k > 63 ? 63 : k);
        if (sscanf(tmp, "mock-fail-%d", &st) == 1) {
            char s[64]; snprintf(s, sizeof s, "%d Mock", st); n_bad++;
            reply(fd, s, "{\"error\":{\"message\":\"mock failure\",\"type\":\"server_error\",\"code\":\"mock\"}}"); return;
        }
        sscanf(tmp, "mock-%d-%d-%d", &chunks, &interval, &delay);
    }
    uint64_t now = now_ns(); n_chat++;
    if (has(body, bl, "\"stream\"", "true")) {
        n_stream++; n_active++;
        c->streaming = 1; c->left = chunks; c->interval = interval; c->role_sent = 0;
        c->usage = has(body, bl, "\"include_usage\"", "true");
        put(fd, SSE, strlen(SSE));
        hpush(fd, now + (uint64_t)delay * 1000000 + (jitter ? (uint64_t)(rand() % (jitter * 1000)) * 1000 : 0));
    } else if (delay) { c->delayed = 1; n_active++; hpush(fd, now + (uint64_t)delay * 1000000);
    } else { n_done++; reply(fd, "200 OK", JSON); }
}

/* one request at the front of c->in: returns bytes used, 0 for "need more", -1 for "bad" */
static long request(int fd) {
    Conn *c = &C[fd];
    char *he = memmem(c->in, c->len, "\r\n\r\n", 4);
    if (!he) return 0;
    size_t hl = he + 4 - c->in, cl = 0; int chunked = 0, expect = 0;
    for (char *p = memchr(c->in, '\n', hl); p && p < he; p = memchr(p + 1, '\n', he - p)) {
        if (!strncasecmp(p + 1, "content-length:", 15)) cl = strtoul(p + 16, 0, 10);
        if (!strncasecmp(p + 1, "transfer-encoding: chunked", 26)) chunked = 1;
        if (!strncasecmp(p + 1, "expect: 100", 11)) expect = 1;
    }
    if (!chunked) {
        if (c->len < hl + cl) { if (expect && c->len == hl) put(fd, "HTTP/1.1 100 Continue\r\n\r\n", 25); return 0; }
        handle(fd, c->in, hl, c->in + hl, cl); return hl + cl;
    }
    char *body = malloc(c->len), *p = c->in + hl, *end = c->in + c->len; size_t bl = 0; long used = 0;
    for (;;) {
        char *nl = memmem(p, end - p, "\r\n", 2); if (!nl) break;
        size_t k = strtoul(p, 0, 16);
        if ((size_t)(end - nl) < k + 4) break;
        memcpy(body + bl, nl + 2, k); bl += k; p = nl + 2 + k + 2;
        if (!k) { used = p - c->in; handle(fd, c->in, hl, body, bl); break; }
    }
    free(body); return used;
}
static void readable(int fd) {
    Conn *c = &C[fd];
    if (c->len + 4096 > c->cap) { c->cap = c->cap ? c->cap * 2 : 8192; c->in = realloc(c->in, c->cap); }
    ssize_t n = recv(fd, c->in + c->len, c->cap - c->len - 1, 0);
    if (n == 0 || (n < 0 && errno != EAGAIN)) { closefd(fd); return; }
    if (n < 0) return;
    c->len += n; c->in[c->len] = 0;
    while (c->open && c->len && !c->streaming && !c->delayed) {
        long u = request(fd);
        if (u <= 0) break;
        memmove(c->in, c->in + u, c->len - u); c->len -= u;
    }
}

int main(int argc, char **argv) {
    int port = 9900, o;
    while ((o = getopt(argc, argv, "p:n:i:d:j:")) > 0) {
        if (o == 'p') port = atoi(optarg); else if (o == 'n') def_chunks = atoi(optarg);
        else if (o == 'i') def_interval = atoi(optarg); else if (o == 'd') def_delay = atoi(optarg);
        else if (o == 'j') jitter = atoi(optarg); else return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    for (int i = 0; i < MAXFD; i++) C[i].heap = -1;
    int ls = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;
    setsockopt(ls, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    if (bind(ls, (void *)&a, sizeof a) || listen(ls, 4096)) { perror("bind"); return 1; }
    ep = epoll_create1(0);
    struct epoll_event e = { EPOLLIN, { .fd = ls } }, ev[512];
    epoll_ctl(ep, EPOLL_CTL_ADD, ls, &e);
    for (;;) {
        int to = -1;
        if (hn) { uint64_t now = now_ns(); to = C[heap[0]].due <= now ? 0 : (int)((C[heap[0]].due - now + 999999) / 1000000); }
        int n = epoll_wait(ep, ev, 512, to);
        for (int i = 0; i < n; i++) {
            int fd = ev[i].data.fd;
            if (fd == ls) {
                int s;
                while ((s = accept4(ls, 0, 0, SOCK_NONBLOCK)) >= 0) {
                    if (s >= MAXFD) { close(s); continue; }
                    setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
                    memset(&C[s], 0, sizeof(Conn)); C[s].open = 1; C[s].heap = -1;
                    struct epoll_event x = { EPOLLIN, { .fd = s } }; epoll_ctl(ep, EPOLL_CTL_ADD, s, &x);
                }
                continue;
            }
            if (ev[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) readable(fd);
            if (C[fd].open && (ev[i].events & EPOLLOUT) && C[fd].outlen) flush(fd);
        }
        uint64_t now = now_ns();
        while (hn && C[heap[0]].due <= now) { int fd = heap[0]; hdel(fd); tick(fd, now);
            if (C[fd].open && !C[fd].streaming && !C[fd].delayed && C[fd].len) { long u = request(fd); if (u > 0) { memmove(C[fd].in, C[fd].in + u, C[fd].len - u); C[fd].len -= u; } } }
    }
}
