/* Stands between the real binary and the C library (LD_PRELOAD), and makes go wrong what an unprivileged test cannot make go
 * wrong otherwise: a disk that is full or broken, a process that ends at a certain write, a clock that jumps, a power cut.
 *
 * Only files below FAULTS_DIR are touched. What is to happen is in the words of the file FAULTS_CONTROL, which both sides
 * have mapped, so that a test can change it while the process runs; `shim.py` has the same table. Where FAULTS_LOG is set, every
 * write is written down there with what it overwrote, and every sync, before it is done: from that `power.py` makes the disk
 * that a power cut would have left.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/* The words of the control file. */
enum { CLOCK_S, KILL_IN, FAIL_IN, FAIL_ERRNO, FAIL_KINDS, IS_TORN, FREE_BYTES, SEEN, FAILED, WORDS };
/* Kinds of operations, as bits of FAIL_KINDS. */
enum { WRITE = 1, LENGTH = 2, SYNC = 4, NAME = 8, READ = 16 };

#define FILES_MAX 65536
#define OTHER (-2)

static _Atomic int64_t *control;
static const char *dir, *grave;
static size_t dir_len;
static int log_fd = -1;
static int64_t records, graves;
static char is_ours[FILES_MAX];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

#define REAL(name) static __typeof__(&name) real; if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("FAULTS_CONTROL"), *log = getenv("FAULTS_LOG");
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    void *words = fd < 0 ? MAP_FAILED : mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    dir = getenv("FAULTS_DIR");
    if (words == MAP_FAILED || !dir) {
        fprintf(stderr, "shim: FAULTS_DIR and FAULTS_CONTROL must name a directory and a file\n");
        _exit(3);
    }
    close(fd);
    dir_len = strlen(dir);
    grave = getenv("FAULTS_GRAVE");
    if (log) log_fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    control = words;
}

static int is_below(const char *path) {
    return control && path && strncmp(path, dir, dir_len) == 0 && (path[dir_len] == '/' || path[dir_len] == 0);
}

static int ours(int fd) { return control && fd >= 0 && fd < FILES_MAX && is_ours[fd]; }

/* Counts an operation; whether it fails. With the lock held. */
static int fails(int kind) {
    if (kind != READ) {
        control[SEEN]++;
        if (control[KILL_IN] > 0 && --control[KILL_IN] == 0) {
            kill(getpid(), SIGKILL);
            pause();
        }
    }
    if (control[FAIL_IN] <= 0 || !(control[FAIL_KINDS] & kind)) return 0;
    if (control[FAIL_IN] > 1) {
        control[FAIL_IN]--;
        return 0;
    }
    control[FAILED]++;
    errno = (int)control[FAIL_ERRNO];
    return 1;
}

struct record {
    int64_t kind, ino, offset, was, is, old_bytes, new_bytes;
};

/* Writes a record down. With the lock held, so that the order is that of the operations. */
static void note(struct record record, const void *old, const void *new) {
    struct iovec parts[] = {
        {&record, sizeof record}, {(void *)old, (size_t)record.old_bytes}, {(void *)new, (size_t)record.new_bytes}};
    size_t whole = sizeof record + (size_t)record.old_bytes + (size_t)record.new_bytes;
    REAL(writev);
    if (real(log_fd, parts, 3) != (ssize_t)whole) {
        fprintf(stderr, "shim: the log cannot be written: %s\n", strerror(errno));
        _exit(3);
    }
    records++;
}

static void note_name(char kind, const char *path, const char *to, int64_t gravestone) {
    struct stat stat;
    char both[8192];
    int n = snprintf(both, sizeof both, "%s%c%s", path, 0, to ? to : "");
    int64_t ino = lstat(path, &stat) == 0 ? (int64_t)stat.st_ino : 0;
    note((struct record){kind, ino, 0, gravestone, 0, 0, n}, NULL, both);
}

/* Keeps a file that is about to lose its name, so that a power cut can give it back. */
static int64_t bury(const char *path) {
    char stone[4096];
    if (!grave || access(path, F_OK) != 0) return -1;
    snprintf(stone, sizeof stone, "%s/%lld", grave, (long long)graves);
    return link(path, stone) == 0 ? graves++ : -1;
}

static ssize_t do_pwrite(int fd, const void *bytes, size_t count, off_t at) {
    REAL(pwrite64);
    return real(fd, bytes, count, at);
}

static ssize_t write_at(int fd, const void *bytes, size_t count, off_t at) {
    pthread_mutex_lock(&lock);
    int is_failing = fails(WRITE), error = errno;
    if (is_failing && control[IS_TORN] && count > 1) {
        /* As a disk that runs full does: a part is written, and then nothing. */
        control[IS_TORN] = 0;
        count /= 2;
        is_failing = 0;
    }
    ssize_t done = -1;
    if (!is_failing) {
        if (log_fd >= 0) {
            struct stat stat;
            fstat(fd, &stat);
            char *old = malloc(count);
            ssize_t had = old ? pread(fd, old, count, at) : -1;
            note((struct record){'W', (int64_t)stat.st_ino, at, stat.st_size, 0, had < 0 ? 0 : had, (int64_t)count}, old, bytes);
            free(old);
        }
        done = do_pwrite(fd, bytes, count, at);
        error = errno;
    }
    pthread_mutex_unlock(&lock);
    errno = error;
    return done;
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t at) {
    return ours(fd) ? write_at(fd, bytes, count, at) : do_pwrite(fd, bytes, count, at);
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t at) { return pwrite64(fd, bytes, count, at); }

ssize_t write(int fd, const void *bytes, size_t count) {
    REAL(write);
    if (!ours(fd)) return real(fd, bytes, count);
    off_t at = lseek(fd, 0, SEEK_CUR);
    ssize_t done = write_at(fd, bytes, count, at);
    if (done > 0) lseek(fd, at + done, SEEK_SET);
    return done;
}

ssize_t pread64(int fd, void *bytes, size_t count, off64_t at) {
    REAL(pread64);
    if (ours(fd)) {
        pthread_mutex_lock(&lock);
        int is_failing = fails(READ), error = errno;
        pthread_mutex_unlock(&lock);
        errno = error;
        if (is_failing) return -1;
    }
    return real(fd, bytes, count, at);
}

int ftruncate64(int fd, off64_t length) {
    REAL(ftruncate64);
    if (!ours(fd)) return real(fd, length);
    pthread_mutex_lock(&lock);
    int is_failing = fails(LENGTH), error = errno, done = -1;
    if (!is_failing) {
        if (log_fd >= 0) {
            struct stat stat;
            fstat(fd, &stat);
            size_t cut = stat.st_size > length ? (size_t)(stat.st_size - length) : 0;
            char *old = malloc(cut + 1);
            ssize_t had = cut && old ? pread(fd, old, cut, length) : 0;
            note((struct record){'T', (int64_t)stat.st_ino, length, stat.st_size, length, had < 0 ? 0 : had, 0}, old, NULL);
            free(old);
        }
        done = real(fd, length);
        error = errno;
    }
    pthread_mutex_unlock(&lock);
    errno = error;
    return done;
}

int ftruncate(int fd, off_t length) { return ftruncate64(fd, length); }

/* What was written before the sync began is durable once it has returned. */
static int sync_with(int fd, int (*real)(int)) {
    if (!ours(fd)) return real(fd);
    pthread_mutex_lock(&lock);
    int is_failing = fails(SYNC), error = errno;
    int64_t until = records;
    pthread_mutex_unlock(&lock);
    int done = is_failing ? -1 : real(fd);
    if (!is_failing) error = errno;
    if (done == 0 && log_fd >= 0) {
        struct stat stat;
        fstat(fd, &stat);
        pthread_mutex_lock(&lock);
        note((struct record){S_ISDIR(stat.st_mode) ? 'D' : 'S', (int64_t)stat.st_ino, until, 0, 0, 0, 0}, NULL, NULL);
        pthread_mutex_unlock(&lock);
    }
    errno = error;
    return done;
}

int fsync(int fd) {
    REAL(fsync);
    return sync_with(fd, real);
}

int fdatasync(int fd) {
    REAL(fdatasync);
    return sync_with(fd, real);
}

static int opened(int fd, const char *path) {
    if (fd >= 0 && fd < FILES_MAX) is_ours[fd] = (char)is_below(path);
    return fd;
}

/* A file that is made is a name more. */
static int may_make(const char *path, int flags) {
    if (!is_below(path) || !(flags & O_CREAT) || access(path, F_OK) == 0) return 1;
    pthread_mutex_lock(&lock);
    int is_failing = fails(NAME), error = errno;
    pthread_mutex_unlock(&lock);
    errno = error;
    return !is_failing;
}

int open64(const char *path, int flags, ...) {
    REAL(open64);
    va_list rest;
    va_start(rest, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    return may_make(path, flags) ? opened(real(path, flags, mode), path) : -1;
}

int open(const char *path, int flags, ...) {
    REAL(open);
    va_list rest;
    va_start(rest, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    return may_make(path, flags) ? opened(real(path, flags, mode), path) : -1;
}

int close(int fd) {
    REAL(close);
    if (fd >= 0 && fd < FILES_MAX) is_ours[fd] = 0;
    return real(fd);
}

int rename(const char *was, const char *is) {
    REAL(rename);
    if (!is_below(was)) return real(was, is);
    pthread_mutex_lock(&lock);
    int is_failing = fails(NAME), error = errno, done = -1;
    if (!is_failing) {
        if (log_fd >= 0) note_name('N', was, is, bury(is));
        done = real(was, is);
        error = errno;
    }
    pthread_mutex_unlock(&lock);
    errno = error;
    return done;
}

int unlink(const char *path) {
    REAL(unlink);
    if (!is_below(path)) return real(path);
    pthread_mutex_lock(&lock);
    int is_failing = fails(NAME), error = errno, done = -1;
    if (!is_failing) {
        if (log_fd >= 0) note_name('U', path, NULL, bury(path));
        done = real(path);
        error = errno;
    }
    pthread_mutex_unlock(&lock);
    errno = error;
    return done;
}

int statvfs64(const char *path, struct statvfs64 *out) {
    REAL(statvfs64);
    int done = real(path, out);
    if (done == 0 && is_below(path) && control[FREE_BYTES] > 0) {
        out->f_bavail = out->f_bfree = (fsblkcnt64_t)control[FREE_BYTES] / out->f_frsize;
        control[FAILED]++;
    }
    return done;
}

int statvfs(const char *path, struct statvfs *out) { return statvfs64(path, (struct statvfs64 *)out); }

int clock_gettime(clockid_t which, struct timespec *out) {
    REAL(clock_gettime);
    int done = real(which, out);
    if (done == 0 && control && which == CLOCK_REALTIME) out->tv_sec += (time_t)control[CLOCK_S];
    return done;
}
