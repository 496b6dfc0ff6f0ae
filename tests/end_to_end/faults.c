// Stops a gateway, or makes the system fail, at one step of a write: `write_faults.rs` puts this between the gateway and
// the system (LD_PRELOAD), so that the gateway itself knows nothing of tests.
//
// A step is a call that a write of the Admin API makes, from the first one that is about the new text beside the file to
// the answer. Each is printed on standard error, as `step N: NAME`. At the step FAULT_STEP the process kills itself before
// the call, or the call fails with the number FAULT_ERROR. Writing a file has a second step, `half`: half of it is
// written, as the system may do at any time.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static atomic_int steps;
// Whether the new text has the name of the file: what is sent next is the answer.
static atomic_bool saved, answered;
// The new text, as this thread has it open.
static __thread int text = -1;

static int number(const char *name) {
    const char *text = getenv(name);
    return text ? atoi(text) : -1;
}

// Whether the call that is about to be made is to fail.
static bool fails(const char *name) {
    int step = atomic_fetch_add(&steps, 1);
    dprintf(2, "step %d: %s\n", step, name);
    if (step != number("FAULT_STEP")) return false;
    int error = number("FAULT_ERROR");
    if (error < 0) kill(getpid(), SIGKILL);
    errno = error;
    return true;
}

static bool is_new(const char *path) {
    const char *ending = ".mynah-new";
    size_t length = strlen(path), tail = strlen(ending);
    return length >= tail && strcmp(path + length - tail, ending) == 0;
}

static bool is(int file, mode_t kind) {
    struct stat facts;
    return fstat(file, &facts) == 0 && (facts.st_mode & S_IFMT) == kind;
}

static int opens(int (*next)(const char *, int, ...), const char *path, int flags, mode_t mode) {
    if (!is_new(path)) return next(path, flags, mode);
    if (!(flags & O_CREAT)) return fails("read back") ? -1 : next(path, flags, mode);
    return text = fails("create") ? -1 : next(path, flags, mode);
}

static mode_t mode_of(int flags, va_list rest) {
    return flags & (O_CREAT | __O_TMPFILE) ? va_arg(rest, mode_t) : 0;
}

int open(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    mode_t mode = mode_of(flags, rest);
    va_end(rest);
    return opens(NEXT(open), path, flags, mode);
}

int open64(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    mode_t mode = mode_of(flags, rest);
    va_end(rest);
    return opens(NEXT(open64), path, flags, mode);
}

int unlink(const char *path) {
    return is_new(path) && fails("remove") ? -1 : NEXT(unlink)(path);
}

int fchmod(int file, mode_t mode) {
    return file == text && fails("permissions") ? -1 : NEXT(fchmod)(file, mode);
}

int fchown(int file, uid_t user, gid_t group) {
    return file == text && fails("owner") ? -1 : NEXT(fchown)(file, user, group);
}

int fsync(int file) {
    bool of_folder = atomic_load(&saved) && is(file, S_IFDIR);
    if ((of_folder || file == text) && fails(of_folder ? "flush folder" : "flush")) return -1;
    return NEXT(fsync)(file);
}

int renameat2(int from_folder, const char *from, int to_folder, const char *to, unsigned flags) {
    if (is_new(from)) {
        // Not every file system can do this.
        if (number("FAULT_PLAIN") > 0) return errno = EINVAL, -1;
        if (fails("exchange")) return -1;
    }
    int done = NEXT(renameat2)(from_folder, from, to_folder, to, flags);
    if (done == 0 && is_new(from)) atomic_store(&saved, true);
    return done;
}

int rename(const char *from, const char *to) {
    if (is_new(from) && fails("rename")) return -1;
    int done = NEXT(rename)(from, to);
    if (done == 0 && is_new(from)) atomic_store(&saved, true);
    return done;
}

ssize_t write(int file, const void *bytes, size_t length) {
    ssize_t (*next)(int, const void *, size_t) = NEXT(write);
    if (file != text) return next(file, bytes, length);
    if (fails("write")) return -1;
    if (length < 2) return next(file, bytes, length);
    ssize_t half = next(file, bytes, length / 2);
    if (half < 0 || fails("half")) return half < 0 ? half : -1;
    ssize_t rest = next(file, (const char *)bytes + half, length - half);
    return rest < 0 ? half : half + rest;
}

// Whether the answer is what is being sent, and has to fail.
static bool fails_to_answer(int file) {
    return atomic_load(&saved) && is(file, S_IFSOCK) && !atomic_exchange(&answered, true) && fails("answer");
}

ssize_t send(int file, const void *bytes, size_t length, int flags) {
    return fails_to_answer(file) ? -1 : NEXT(send)(file, bytes, length, flags);
}

ssize_t writev(int file, const struct iovec *parts, int count) {
    return fails_to_answer(file) ? -1 : NEXT(writev)(file, parts, count);
}
