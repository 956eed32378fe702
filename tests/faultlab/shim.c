// Counts file operations below watched folders and, at the N-th, kills the process, tears the write or fails.
// Loaded with LD_PRELOAD; nothing happens before fault_arm(). Build: gcc -shared -fPIC -O1 -o shim.so shim.c -ldl
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { COUNT, KILL, TORN, FAIL, FAIL_ON };  // FAIL_ON: from the N-th on every one fails (a disk that stays full)
static int mode = -1, error_number, log_fd = -1, with_reads;
static long at = -1, seen;
static char watched[4][4096];
static int watched_count;

void fault_arm(int m, long n, int e, int fd, int reads, const char *folders) {
  watched_count = 0;
  char *copy = strdup(folders), *rest = copy, *part;
  while ((part = strsep(&rest, "\n")) && watched_count < 4) snprintf(watched[watched_count++], 4096, "%s", part);
  free(copy);
  at = n; error_number = e; log_fd = fd; with_reads = reads; seen = 0; mode = m;
}
long fault_seen(void) { return seen; }

static int is_watched(const char *path) {
  for (int i = 0; i < watched_count; i++) {
    size_t l = strlen(watched[i]);
    if (l && !strncmp(path, watched[i], l)) return 1;
  }
  return 0;
}
static void full(int dir, const char *path, char *out) {
  if (path[0] == '/') { snprintf(out, 4096, "%s", path); return; }
  char link[64], base[2048]; ssize_t l;
  if (dir == AT_FDCWD) { if (!getcwd(base, sizeof base)) base[0] = 0; }
  else { snprintf(link, 64, "/proc/self/fd/%d", dir); l = readlink(link, base, 2047); base[l < 0 ? 0 : l] = 0; }
  snprintf(out, 4096, "%s/%.2000s", base, path);
}
static void of_fd(int fd, char *out) {
  char link[64]; snprintf(link, 64, "/proc/self/fd/%d", fd);
  ssize_t l = readlink(link, out, 4095); out[l < 0 ? 0 : l] = 0;
}
// 0: go on; 1: fail; 2: tear
static int step(const char *op, const char *path, const char *other, int tearable) {
  if (mode < 0 || !(is_watched(path) || (other && is_watched(other)))) return 0;
  long n = __atomic_add_fetch(&seen, 1, __ATOMIC_SEQ_CST);
  if (log_fd >= 0) {
    char line[8400]; int l = snprintf(line, sizeof line, "%ld\t%s\t%s\t%s\n", n, op, path, other ? other : "");
    if (l > 0) syscall(SYS_write, log_fd, line, (size_t)l);
  }
  if (at < 0) return 0;
  if (mode == FAIL_ON && n >= at) return strcmp(op, "unlink") && strcmp(op, "rmdir") ? 1 : 0;
  if (n != at) return 0;
  if (mode == KILL || (mode == TORN && !tearable)) { syscall(SYS_kill, getpid(), SIGKILL); for (;;) pause(); }
  if (mode == TORN) return 2;
  if (mode == FAIL) return 1;
  return 0;
}
#define REAL(name) static __typeof__(&name) real; if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)
#define FAILED { errno = error_number; return -1; }
#define DIE { syscall(SYS_kill, getpid(), SIGKILL); for (;;) pause(); }
static int writes(int flags) { return (flags & O_ACCMODE) != O_RDONLY || (flags & O_CREAT); }

#define OPENS(name) \
int name(const char *path, int flags, ...) { \
  mode_t m = 0; if (flags & (O_CREAT | O_TMPFILE)) { va_list a; va_start(a, flags); m = va_arg(a, mode_t); va_end(a); } \
  REAL(name); char p[4096]; \
  if (mode >= 0) { full(AT_FDCWD, path, p); if ((writes(flags) || with_reads) && step(writes(flags) ? "create" : "open", p, 0, 0)) FAILED } \
  return real(path, flags, m); }
OPENS(open)
OPENS(open64)
#define OPENATS(name) \
int name(int dir, const char *path, int flags, ...) { \
  mode_t m = 0; if (flags & (O_CREAT | O_TMPFILE)) { va_list a; va_start(a, flags); m = va_arg(a, mode_t); va_end(a); } \
  REAL(name); char p[4096]; \
  if (mode >= 0) { full(dir, path, p); if ((writes(flags) || with_reads) && step(writes(flags) ? "create" : "open", p, 0, 0)) FAILED } \
  return real(dir, path, flags, m); }
OPENATS(openat)
OPENATS(openat64)
#define FOPENS(name) \
FILE *name(const char *path, const char *how) { \
  REAL(name); char p[4096]; \
  if (mode >= 0 && strpbrk(how, "wa+")) { full(AT_FDCWD, path, p); if (step("create", p, 0, 0)) { errno = error_number; return NULL; } } \
  return real(path, how); }
FOPENS(fopen)
FOPENS(fopen64)

ssize_t write(int fd, const void *data, size_t size) {
  REAL(write); char p[4096];
  if (mode >= 0 && fd != log_fd) {
    of_fd(fd, p); int s = step("write", p, 0, 1);
    if (s == 1) FAILED
    if (s == 2) { syscall(SYS_write, fd, data, size / 2); DIE }
  }
  return real(fd, data, size);
}
#define PWRITES(name, T) \
ssize_t name(int fd, const void *data, size_t size, T off) { \
  REAL(name); char p[4096]; \
  if (mode >= 0) { of_fd(fd, p); int s = step("write", p, 0, 1); if (s == 1) FAILED if (s == 2) { syscall(SYS_pwrite64, fd, data, size / 2, off); DIE } } \
  return real(fd, data, size, off); }
PWRITES(pwrite, off_t)
PWRITES(pwrite64, off64_t)
ssize_t writev(int fd, const struct iovec *v, int n) {
  REAL(writev); char p[4096];
  if (mode >= 0) { of_fd(fd, p); int s = step("write", p, 0, 1); if (s == 1) FAILED if (s == 2) { syscall(SYS_writev, fd, v, n > 1 ? n / 2 : 0); DIE } }
  return real(fd, v, n);
}
ssize_t read(int fd, void *data, size_t size) {
  REAL(read); char p[4096];
  if (mode >= 0 && with_reads) { of_fd(fd, p); if (step("read", p, 0, 0)) FAILED }
  return real(fd, data, size);
}
#define SYNCS(name) int name(int fd) { REAL(name); char p[4096]; if (mode >= 0) { of_fd(fd, p); if (step("fsync", p, 0, 0)) FAILED } return real(fd); }
SYNCS(fsync)
SYNCS(fdatasync)
int rename(const char *a, const char *b) { REAL(rename); char p[4096], q[4096]; if (mode >= 0) { full(AT_FDCWD, a, p); full(AT_FDCWD, b, q); if (step("rename", p, q, 0)) FAILED } return real(a, b); }
int renameat(int d, const char *a, int e, const char *b) { REAL(renameat); char p[4096], q[4096]; if (mode >= 0) { full(d, a, p); full(e, b, q); if (step("rename", p, q, 0)) FAILED } return real(d, a, e, b); }
int link(const char *a, const char *b) { REAL(link); char p[4096], q[4096]; if (mode >= 0) { full(AT_FDCWD, a, p); full(AT_FDCWD, b, q); if (step("link", p, q, 0)) FAILED } return real(a, b); }
int linkat(int d, const char *a, int e, const char *b, int f) { REAL(linkat); char p[4096], q[4096]; if (mode >= 0) { full(d, a, p); full(e, b, q); if (step("link", p, q, 0)) FAILED } return real(d, a, e, b, f); }
#define SENDS(name, T) ssize_t name(int to, int from, T *off, size_t size) { REAL(name); char p[4096]; if (mode >= 0) { of_fd(to, p); int s = step("write", p, 0, 1); if (s == 1) FAILED if (s == 2) { real(to, from, off, size / 2); DIE } } return real(to, from, off, size); }
SENDS(sendfile, off_t)
SENDS(sendfile64, off64_t)
int unlink(const char *a) { REAL(unlink); char p[4096]; if (mode >= 0) { full(AT_FDCWD, a, p); if (step("unlink", p, 0, 0)) FAILED } return real(a); }
int unlinkat(int d, const char *a, int f) { REAL(unlinkat); char p[4096]; if (mode >= 0) { full(d, a, p); if (step("unlink", p, 0, 0)) FAILED } return real(d, a, f); }
int mkdir(const char *a, mode_t m) { REAL(mkdir); char p[4096]; if (mode >= 0) { full(AT_FDCWD, a, p); if (step("mkdir", p, 0, 0)) FAILED } return real(a, m); }
int rmdir(const char *a) { REAL(rmdir); char p[4096]; if (mode >= 0) { full(AT_FDCWD, a, p); if (step("rmdir", p, 0, 0)) FAILED } return real(a); }
#define TRUNCS(name, T) int name(int fd, T l) { REAL(name); char p[4096]; if (mode >= 0) { of_fd(fd, p); if (step("write", p, 0, 0)) FAILED } return real(fd, l); }
TRUNCS(ftruncate, off_t)
TRUNCS(ftruncate64, off64_t)
