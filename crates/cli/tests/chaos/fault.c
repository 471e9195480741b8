// A disk that fails when it is told to, put between the server and the real one by LD_PRELOAD.
//
// CHAOS_DATA     the data folder: only files in it are touched
// CHAOS_CONTROL  a file of 64-bit words, shared with the test (see `struct control`)
// CHAOS_SHADOW   where given: a folder that gets what a power cut would leave, which is what was written before the
//                last fsync of its file that did not lie
//
// It counts on one process and few files.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { SYNC_TRUE = 0, SYNC_FAILS = 1, SYNC_LIES = 2, SYNC_RESERVE = 3, SYNC_FULL = 4 };
enum { ON_ANY = 0, ON_LOG = 1, ON_DATABASE = 2 };

struct control {
    volatile uint64_t sync;       // what an fsync does
    volatile uint64_t sync_on;    // of which file
    volatile uint64_t delay_us;   // how long an fsync takes besides
    volatile uint64_t quota;      // bytes that the folder may hold; 0 for no end, 1 for not even in place of others
    volatile uint64_t quota_on;   // which file may not grow beyond it
    volatile uint64_t failed;     // fsyncs that failed or lied
    volatile uint64_t full;       // writes that found the disk full
    volatile uint64_t syncs;      // fsyncs of the log, for whoever waits for one
};

#define MAX_FILES 64
#define MAX_RANGES 65536

struct range { off_t from, to; };

struct file {
    dev_t device;
    ino_t inode;
    char name[64];
    int shadow;               // -1 for a file whose like is not kept
    int count;
    struct range *ranges;     // written since the last fsync
};

static struct control nothing, *control = &nothing;
static char data[4096], shadow[4096];
static struct file files[MAX_FILES];
static int known;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static int (*real_fsync)(int);
static int (*real_fdatasync)(int);
static int (*real_unlink)(const char *);

__attribute__((constructor)) static void begin(void) {
    real_write = dlsym(RTLD_NEXT, "write");
    real_pwrite = dlsym(RTLD_NEXT, "pwrite");
    real_fsync = dlsym(RTLD_NEXT, "fsync");
    real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
    real_unlink = dlsym(RTLD_NEXT, "unlink");
    const char *where = getenv("CHAOS_DATA"), *kept = getenv("CHAOS_SHADOW"), *page = getenv("CHAOS_CONTROL");
    if (where) snprintf(data, sizeof data, "%s/", where);
    if (kept) snprintf(shadow, sizeof shadow, "%s/", kept);
    int open_page = page ? open(page, O_RDWR | O_CLOEXEC) : -1;
    if (open_page < 0) return;
    void *shared = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, open_page, 0);
    if (shared != MAP_FAILED) control = shared;
    close(open_page);
}

// The last part of the path of a file in the data folder; NULL for any other.
static const char *name_of(const char *path) {
    size_t length = strlen(data);
    return length && strncmp(path, data, length) == 0 && !strchr(path + length, '/') ? path + length : NULL;
}

static int is(const struct file *file, const char *name) { return strcmp(file->name, name) == 0; }

static int is_meant(const struct file *file, uint64_t on) {
    if (on == ON_LOG) return is(file, "tiltyard.db-wal");
    if (on == ON_DATABASE) return is(file, "tiltyard.db");
    return 1;
}

// What is known of an open file; NULL when it lies elsewhere. The lock is held.
static struct file *file_of(int fd, struct stat *found) {
    if (!data[0] || fstat(fd, found) != 0 || !S_ISREG(found->st_mode)) return NULL;
    for (int i = 0; i < known; i++)
        if (files[i].inode == found->st_ino && files[i].device == found->st_dev) return &files[i];
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0 || known == MAX_FILES) return NULL;
    path[length] = 0;
    const char *name = name_of(path);
    if (!name) return NULL;
    struct file *file = &files[known++];
    memset(file, 0, sizeof *file);
    file->device = found->st_dev;
    file->inode = found->st_ino;
    file->shadow = -1;
    snprintf(file->name, sizeof file->name, "%s", name);
    if (shadow[0] && (is(file, "tiltyard.db") || is(file, "tiltyard.db-wal"))) {
        snprintf(path, sizeof path, "%s%s", shadow, file->name);
        file->shadow = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        file->ranges = calloc(MAX_RANGES, sizeof *file->ranges);
    }
    return file;
}

static uint64_t size_of(const char *name) {
    char path[4200];
    struct stat found;
    snprintf(path, sizeof path, "%s%s", data, name);
    return stat(path, &found) == 0 ? (uint64_t)found.st_size : 0;
}

// Whether the disk has room for a file that ends at `end`.
static int has_room(const struct file *file, const struct stat *found, off_t end) {
    if (!control->quota || !is_meant(file, control->quota_on)) return 1;
    if (control->quota != 1 && end <= found->st_size) return 1;
    uint64_t used = size_of("tiltyard.db") + size_of("tiltyard.db-wal") + size_of("tiltyard.db-shm") + size_of("reserve");
    uint64_t grown = end > found->st_size ? (uint64_t)(end - found->st_size) : 0;
    if (used + grown <= control->quota) return 1;
    control->full++;
    return 0;
}

static void remember(struct file *file, off_t from, off_t to) {
    if (file->shadow < 0) return;
    struct range *last = file->count ? &file->ranges[file->count - 1] : NULL;
    if (last && last->to == from) last->to = to;
    else if (file->count < MAX_RANGES) file->ranges[file->count++] = (struct range){from, to};
    else abort();
}

// Asks before a write; `done` of it is told afterwards.
static int may_write(int fd, off_t from, size_t length) {
    struct stat found;
    pthread_mutex_lock(&lock);
    struct file *file = file_of(fd, &found);
    int may = !file || has_room(file, &found, from + (off_t)length);
    pthread_mutex_unlock(&lock);
    if (!may) errno = ENOSPC;
    return may;
}

static void written(int fd, off_t from, ssize_t length) {
    struct stat found;
    int kept = errno;
    if (length <= 0) return;
    pthread_mutex_lock(&lock);
    struct file *file = file_of(fd, &found);
    if (file) remember(file, from, from + length);
    pthread_mutex_unlock(&lock);
    errno = kept;
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t from) {
    if (!may_write(fd, from, length)) return -1;
    ssize_t done = real_pwrite(fd, bytes, length, from);
    written(fd, from, done);
    return done;
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off_t from) { return pwrite(fd, bytes, length, from); }

ssize_t write(int fd, const void *bytes, size_t length) {
    off_t from = data[0] ? lseek(fd, 0, SEEK_CUR) : -1;
    if (from >= 0 && !may_write(fd, from, length)) return -1;
    ssize_t done = real_write(fd, bytes, length);
    if (from >= 0) written(fd, from, done);
    return done;
}

// Copies what was written since the last fsync to where a power cut cannot reach it.
static void keep(int fd, struct file *file, struct stat *found) {
    static char block[1 << 16];
    for (int i = 0; i < file->count; i++) {
        for (off_t at = file->ranges[i].from; at < file->ranges[i].to;) {
            size_t wanted = (size_t)(file->ranges[i].to - at);
            ssize_t got = pread(fd, block, wanted < sizeof block ? wanted : sizeof block, at);
            if (got <= 0) break;
            if (real_pwrite(file->shadow, block, (size_t)got, at) != got) abort();
            at += got;
        }
    }
    file->count = 0;
    if (ftruncate(file->shadow, found->st_size) != 0) abort();
}

static int synced(int fd, int (*really)(int)) {
    struct stat found;
    pthread_mutex_lock(&lock);
    struct file *file = file_of(fd, &found);
    int ours = file && strncmp(file->name, "tiltyard.db", 11) == 0;
    uint64_t sync = ours && is_meant(file, control->sync_on) ? control->sync : SYNC_TRUE;
    if (ours && is(file, "tiltyard.db-wal")) control->syncs++;
    if (sync == SYNC_RESERVE) sync = size_of("reserve") ? SYNC_FULL : SYNC_TRUE;
    if (sync != SYNC_TRUE) control->failed++;
    if (file && file->shadow >= 0 && sync == SYNC_TRUE) keep(fd, file, &found);
    pthread_mutex_unlock(&lock);
    if (ours && control->delay_us) {
        struct timespec pause = {(time_t)(control->delay_us / 1000000), (long)(control->delay_us % 1000000) * 1000};
        nanosleep(&pause, NULL);
    }
    if (sync == SYNC_FAILS || sync == SYNC_FULL) {
        errno = sync == SYNC_FULL ? ENOSPC : EIO;
        return -1;
    }
    return sync == SYNC_LIES ? 0 : really(fd);
}

int fsync(int fd) { return synced(fd, real_fsync); }

int fdatasync(int fd) { return synced(fd, real_fdatasync); }

// A file that is gone has no like; its number may come again for another one.
int unlink(const char *path) {
    const char *name = name_of(path);
    pthread_mutex_lock(&lock);
    for (int i = 0; name && i < known; i++) {
        if (!is(&files[i], name)) continue;
        if (files[i].shadow >= 0) {
            char like[4200];
            snprintf(like, sizeof like, "%s%s", shadow, name);
            real_unlink(like);
            close(files[i].shadow);
            free(files[i].ranges);
        }
        files[i] = files[--known];
        break;
    }
    pthread_mutex_unlock(&lock);
    return real_unlink(path);
}
