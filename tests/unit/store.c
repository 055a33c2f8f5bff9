#include "checkpoint/store.h"

#include "base/fault.h"
#include "base/log.h"
#include "base/mem.h"
#include "checkpoint/status_file.h"
#include "tap.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char root[64], output[96];

static char *in_folder(const char *name)
{
    static char path[256];

    snprintf(path, sizeof(path), "%s.vsmjob%s%s", output, name[0] ? "/" : "", name);
    return path;
}

static bool exists(const char *name)
{
    struct stat info;

    return lstat(in_folder(name), &info) == 0;
}

/* Every test gets an output of its own. */
static struct vsm_store *open_fresh(void)
{
    static int number;
    struct vsm_store *store = NULL;

    snprintf(output, sizeof(output), "%s/out%d.mp4", root, ++number);
    CHECK_INT(vsm_store_open(output, &store), VSM_OK);
    return store;
}

static struct vsm_store *reopen(void)
{
    struct vsm_store *store = NULL;

    CHECK_INT(vsm_store_open(output, &store), VSM_OK);
    return store;
}

static int commit(struct vsm_store *store, int64_t next_seq)
{
    struct vsm_checkpoint c = {.next_seq = next_seq, .state = vsm_state_create()};
    int status = c.state ? vsm_state_add(c.state, "test.seq", &next_seq, sizeof(next_seq)) : VSM_E_NOMEM;

    if (status == VSM_OK)
        status = vsm_store_commit(store, &c);
    vsm_state_destroy(&c.state);
    return status;
}

/* next_seq of the newest checkpoint, of which the record must agree; or the status. */
static int64_t load(struct vsm_store *store)
{
    struct vsm_checkpoint c;
    int64_t inside = -100, next_seq;
    int status = vsm_store_load(store, &c);

    if (status != VSM_OK)
        return status;
    next_seq = c.next_seq;
    memcpy(&inside, vsm_state_find(c.state, "test.seq")->data, sizeof(inside));
    CHECK_INT(inside, next_seq);
    vsm_checkpoint_clear(&c);
    return next_seq;
}

static void test_two_newest_are_kept(void)
{
    struct vsm_store *s = open_fresh();
    struct stat info;

    CHECK_INT(load(s), VSM_EOF);
    for (int i = 1; i <= 4; i++)
        CHECK_INT(commit(s, 10 * i), VSM_OK);
    CHECK(!exists("ckpt-2") && exists("ckpt-3") && exists("ckpt-4") && !exists("ckpt.tmp"));
    CHECK(stat(in_folder(""), &info) == 0 && (info.st_mode & 07777) == 0700);
    CHECK(stat(in_folder("ckpt-4"), &info) == 0 && (info.st_mode & 07777) == 0600);
    vsm_store_close(s);
    s = reopen();
    CHECK_INT(load(s), 40);
    CHECK_INT(commit(s, 50), VSM_OK);
    CHECK(!exists("ckpt-3") || !exists("ckpt-4"));
    CHECK_INT(load(s), 50);
    CHECK_INT(vsm_store_remove(s), VSM_OK);
    CHECK(!exists(""));
}

static void damage(const char *name, off_t at)
{
    int fd = open(in_folder(name), O_RDWR);
    char c = 0;

    CHECK(pread(fd, &c, 1, at) == 1);
    c ^= 4;
    CHECK(pwrite(fd, &c, 1, at) == 1);
    close(fd);
}

static void test_damaged_newest_falls_back(void)
{
    struct vsm_store *s = open_fresh();

    vsm_log_set_level(VSM_LOG_ERROR);
    CHECK_INT(load(s), VSM_EOF);
    CHECK_INT(commit(s, 10), VSM_OK);
    CHECK_INT(commit(s, 20), VSM_OK);
    damage("ckpt-2", 290);
    CHECK_INT(load(s), 10);
    CHECK_INT(commit(s, 15), VSM_OK);
    CHECK_INT(load(s), 15);
    CHECK(exists("ckpt-1"));
    damage("ckpt-1", 8);
    damage("ckpt-2", 0);
    CHECK_INT(load(s), VSM_E_OUTPUT);
    CHECK_HAS(vsm_error_message(), "--restart");
    CHECK_INT(commit(s, 16), VSM_E_INTERNAL);
    CHECK_INT(vsm_store_discard(s), VSM_OK);
    CHECK(!exists("ckpt-1") && !exists("ckpt-2"));
    CHECK_INT(commit(s, 16), VSM_OK);
    CHECK_INT(load(s), 16);
    CHECK_INT(vsm_store_remove(s), VSM_OK);
}

static void test_foreign_names_and_moved_files(void)
{
    static const char *const names[] = {"ckpt-",  "ckpt-0",  "ckpt-01",
                                        "ckpt-x", "ckpt--1", "ckpt-18446744073709551616"};
    struct vsm_store *s = open_fresh();
    char moved[256];

    CHECK_INT(load(s), VSM_EOF);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        close(open(in_folder(names[i]), O_CREAT | O_WRONLY, 0600));
    CHECK_INT(load(s), VSM_EOF);
    CHECK_INT(commit(s, 10), VSM_OK);
    snprintf(moved, sizeof(moved), "%s", in_folder("ckpt-9"));
    CHECK_INT(rename(in_folder("ckpt-1"), moved), 0);
    CHECK_INT(load(s), VSM_E_OUTPUT);
    CHECK_INT(vsm_store_discard(s), VSM_OK);
    CHECK(exists("ckpt-x"));
    CHECK(symlink("/etc/passwd", in_folder("ckpt-3")) == 0);
    CHECK_INT(load(s), VSM_E_OUTPUT);
    CHECK_INT(vsm_store_remove(s), VSM_OK);
    CHECK(!exists("") && access("/etc/passwd", F_OK) == 0);
}

static void test_commit_needs_load_or_discard(void)
{
    struct vsm_store *s = open_fresh();

    CHECK_INT(commit(s, 10), VSM_E_INTERNAL);
    CHECK_HAS(vsm_error_message(), "loaded or discarded");
    CHECK_INT(vsm_store_discard(s), VSM_OK);
    CHECK_INT(commit(s, 10), VSM_OK);
    CHECK_INT(vsm_store_remove(s), VSM_OK);
}

static void test_close_keeps_only_what_can_be_resumed(void)
{
    struct vsm_store *s = open_fresh();
    struct vsm_status_file status = {.done_frames = 3};
    char *path = vsm_store_path(output, "status");

    CHECK_STR(path, in_folder("status"));
    CHECK_INT(vsm_status_file_write(path, &status), VSM_OK);
    vsm_store_close(s);
    CHECK(!exists(""));
    s = reopen();
    close(open(in_folder("index"), O_CREAT | O_WRONLY, 0600));
    vsm_store_close(s);
    CHECK(exists("index"));
    s = reopen();
    CHECK_INT(vsm_store_remove(s), VSM_OK);
    CHECK(!exists(""));
    vsm_store_close(NULL);
    vsm_mem_free(path);
}

static void test_folder_that_is_none(void)
{
    struct vsm_store *s = open_fresh();

    CHECK_INT(vsm_store_remove(s), VSM_OK);
    CHECK(symlink("/tmp", in_folder("")) == 0);
    CHECK_INT(vsm_store_open(output, &s), VSM_E_OUTPUT);
    CHECK_HAS(vsm_error_message(), ".vsmjob");
    CHECK(!s);
    unlink(in_folder(""));
    close(open(in_folder(""), O_CREAT | O_WRONLY, 0600));
    CHECK_INT(vsm_store_open(output, &s), VSM_E_OUTPUT);
    unlink(in_folder(""));
    snprintf(output, sizeof(output), "%s/missing/out.mp4", root);
    CHECK_INT(vsm_store_open(output, &s), VSM_E_OUTPUT);
    CHECK_HAS(vsm_error_message(), "missing");
}

/* A child that opens the store and, told by a pipe, dies with it open. */
static pid_t hold_in_child(int *let_go)
{
    int to_child[2], to_parent[2];
    char c;
    pid_t pid;

    CHECK(pipe(to_child) == 0 && pipe(to_parent) == 0);
    fflush(stdout);
    pid = fork();
    if (pid == 0) {
        struct vsm_store *s;

        close(to_child[1]);
        c = vsm_store_open(output, &s) == VSM_OK && load(s) != VSM_E_OUTPUT && commit(s, 10) == VSM_OK;
        if (write(to_parent[1], &c, 1) == 1 && read(to_child[0], &c, 1) >= 0)
            raise(SIGKILL);
        _exit(1);
    }
    close(to_child[0]);
    close(to_parent[1]);
    CHECK(read(to_parent[0], &c, 1) == 1 && c == 1);
    close(to_parent[0]);
    *let_go = to_child[1];
    return pid;
}

static void test_second_process_is_refused_and_dead_one_replaced(void)
{
    struct vsm_store *s = open_fresh();
    char pid_text[32];
    int let_go;
    pid_t pid;

    CHECK_INT(vsm_store_holder(output), getpid());
    vsm_store_close(s);
    CHECK_INT(vsm_store_holder(output), 0);
    pid = hold_in_child(&let_go);
    CHECK_INT(vsm_store_holder(output), pid);
    CHECK_INT(vsm_store_open(output, &s), VSM_E_OUTPUT);
    snprintf(pid_text, sizeof(pid_text), "process %ld ", (long)pid);
    CHECK_HAS(vsm_error_message(), pid_text);
    CHECK_HAS(vsm_error_message(), output);
    CHECK_INT(vsm_store_holder(output), pid);
    close(let_go);
    waitpid(pid, NULL, 0);
    CHECK(exists("lock"));
    CHECK_INT(vsm_store_holder(output), 0);
    s = reopen();
    CHECK_INT(vsm_store_holder(output), getpid());
    CHECK_INT(load(s), 10);
    CHECK_INT(vsm_store_remove(s), VSM_OK);
}

static void test_lock_through_symlink_is_refused(void)
{
    struct vsm_store *s = open_fresh();
    char victim[128];

    snprintf(victim, sizeof(victim), "%s/victim", root);
    CHECK_INT(load(s), VSM_EOF);
    CHECK_INT(commit(s, 1), VSM_OK);
    vsm_store_close(s);
    unlink(in_folder("lock"));
    CHECK(symlink(victim, in_folder("lock")) == 0);
    CHECK_INT(vsm_store_open(output, &s), VSM_E_OUTPUT);
    CHECK(access(victim, F_OK) != 0);
    unlink(in_folder("lock"));
    s = reopen();
    CHECK_INT(vsm_store_remove(s), VSM_OK);
}

static void test_status_file(void)
{
    struct vsm_status_file in = {9000, 451, 300, 23976, 4711, 1700000000, 1700000100}, out;
    struct vsm_store *s = open_fresh();
    char *path = vsm_store_path(output, "status");
    static const char *const bad[] = {"",
                                      "total_frames",
                                      "total_frames x\n",
                                      "total_frames 9\n",
                                      "total_frames -1\ndone_frames 1\n",
                                      "total_frames 99999999999999999999\n"};

    CHECK_INT(vsm_status_file_read(path, &out), VSM_EOF);
    CHECK_INT(vsm_status_file_write(path, &in), VSM_OK);
    CHECK_INT(vsm_status_file_write(path, &in), VSM_OK);
    CHECK_INT(vsm_status_file_read(path, &out), VSM_OK);
    CHECK(memcmp(&in, &out, sizeof(in)) == 0);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        int fd = open(path, O_WRONLY | O_TRUNC);

        CHECK(write(fd, bad[i], strlen(bad[i])) >= 0);
        close(fd);
        CHECK_INT(vsm_status_file_read(path, &out), VSM_E_OUTPUT);
        CHECK_HAS(vsm_error_message(), "not a status file");
    }
    vsm_mem_free(path);
    CHECK_INT(vsm_store_remove(s), VSM_OK);
}

#ifdef VSM_FAULT_POINTS

static const char *const points[] = {"ckpt.create",       "ckpt.write", "ckpt.fsync", "ckpt.rename",
                                     "ckpt.fsync_folder", "ckpt.prune", "ckpt.done",  "file.write",
                                     "file.fsync",        "mem.alloc"};

#define POINTS (sizeof(points) / sizeof(points[0]))

/* Commits 10, 20 ... until the armed fault kills it. Returns the last commit that it said was done. */
static int64_t commit_until_killed(const char *point, unsigned long n)
{
    int64_t done = 0, last = 0;
    int fds[2], ended;
    pid_t pid;

    CHECK(pipe(fds) == 0);
    fflush(stdout);
    pid = fork();
    if (pid == 0) {
        struct vsm_store *s;

        if (vsm_store_open(output, &s) != VSM_OK || (load(s) < 0 && vsm_store_discard(s) != VSM_OK))
            _exit(2);
        vsm_fault_arm(point, n, -1, 0);
        for (done = 10; done <= 50; done += 10)
            if (commit(s, done) != VSM_OK || write(fds[1], &done, sizeof(done)) != sizeof(done))
                _exit(3);
        _exit(0);
    }
    close(fds[1]);
    while (read(fds[0], &done, sizeof(done)) == sizeof(done))
        last = done;
    close(fds[0]);
    waitpid(pid, &ended, 0);
    if (!WIFSIGNALED(ended)) {
        CHECK_INT(WEXITSTATUS(ended), 0);
        return -1;
    }
    return last;
}

static void test_killed_at_every_point(void)
{
    int kills = 0;

    for (size_t p = 0; p < POINTS; p++) {
        for (unsigned long n = 1;; n++) {
            struct vsm_store *s = open_fresh();
            int64_t done, found;

            vsm_store_close(s);
            done = commit_until_killed(points[p], n);
            s = reopen();
            if (done < 0) {
                CHECK_INT(vsm_store_remove(s), VSM_OK);
                break;
            }
            kills++;
            found = load(s);
            CHECK(found == done || found == done + 10 || (done == 0 && found == VSM_EOF));
            CHECK(!exists("ckpt.tmp"));
            CHECK_INT(commit(s, 1000), VSM_OK);
            CHECK_INT(load(s), 1000);
            CHECK_INT(vsm_store_remove(s), VSM_OK);
        }
    }
    CHECK(kills > 60);
    printf("# %d kills\n", kills);
}

static void test_every_call_fails_once(void)
{
    static const int errors[] = {ENOSPC, EIO};
    int failures = 0;

    for (size_t i = 0; i < 2 * POINTS; i++) {
        bool hit = true;

        for (unsigned long n = 1; hit; n++) {
            struct vsm_store *s = open_fresh();
            int status;

            CHECK_INT(load(s), VSM_EOF);
            CHECK_INT(commit(s, 10), VSM_OK);
            CHECK_INT(commit(s, 20), VSM_OK);
            vsm_fault_arm(points[i / 2], n, errors[i % 2], 0);
            status = commit(s, 30);
            hit = vsm_fault_hits() >= n;
            vsm_fault_arm(NULL, 0, 0, 0);
            failures += status != VSM_OK;
            CHECK(status == VSM_OK || status == VSM_E_OUTPUT || status == VSM_E_NOMEM);
            CHECK(status == VSM_OK || strlen(vsm_error_message()) > 20);
            CHECK(!exists("ckpt.tmp"));
            vsm_store_close(s);
            s = reopen();
            CHECK(load(s) == 30 || (status != VSM_OK && load(s) == 20));
            CHECK_INT(commit(s, 40), VSM_OK);
            CHECK_INT(load(s), 40);
            CHECK_INT(vsm_store_remove(s), VSM_OK);
        }
    }
    CHECK(failures > 20);
    printf("# %d failures\n", failures);
}

static void test_open_and_load_fail_once(void)
{
    int failures = 0;
    bool hit = true;

    vsm_log_set_level(VSM_LOG_ERROR);
    for (unsigned long n = 1; hit; n++) {
        struct vsm_store *s = open_fresh();
        int64_t found = VSM_E_OUTPUT;
        int status;

        CHECK_INT(load(s), VSM_EOF);
        CHECK_INT(commit(s, 10), VSM_OK);
        CHECK_INT(commit(s, 20), VSM_OK);
        vsm_store_close(s);
        vsm_fault_arm("*", n, EIO, 0);
        status = vsm_store_open(output, &s);
        if (status == VSM_OK)
            found = load(s);
        hit = vsm_fault_hits() >= n;
        vsm_fault_arm(NULL, 0, 0, 0);
        failures += status != VSM_OK || found < 0;
        CHECK((status == VSM_OK) == (s != NULL));
        CHECK(found == 20 || found == VSM_E_NOMEM || found == VSM_E_OUTPUT || (hit && found == 10));
        vsm_store_close(s);
        s = reopen();
        CHECK_INT(load(s), 20);
        CHECK_INT(vsm_store_remove(s), VSM_OK);
    }
    CHECK(failures > 8);
    printf("# %d failures\n", failures);
}

static void test_disk_stays_full(void)
{
    struct vsm_store *s = open_fresh();

    CHECK_INT(load(s), VSM_EOF);
    CHECK_INT(commit(s, 10), VSM_OK);
    vsm_fault_arm("file.write", 2, ENOSPC, 1);
    for (int i = 0; i < 3; i++) {
        CHECK_INT(commit(s, 20), VSM_E_OUTPUT);
        CHECK_HAS(vsm_error_message(), strerror(ENOSPC));
    }
    vsm_fault_arm(NULL, 0, 0, 0);
    CHECK_INT(load(s), 10);
    CHECK_INT(commit(s, 20), VSM_OK);
    CHECK_INT(load(s), 20);
    CHECK_INT(vsm_store_remove(s), VSM_OK);
}

/* A folder that is half removed is no job, or one that still resumes; never a mixture. */
static void test_killed_while_removing(void)
{
    for (unsigned long n = 1; n < 12; n++) {
        struct vsm_store *s = open_fresh();
        int64_t found;
        pid_t pid;

        vsm_store_close(s);
        fflush(stdout);
        pid = fork();
        if (pid == 0) {
            if (vsm_store_open(output, &s) != VSM_OK || load(s) != VSM_EOF || commit(s, 10) != VSM_OK ||
                commit(s, 20) != VSM_OK)
                _exit(2);
            vsm_fault_arm("ckpt.remove", n, -1, 0);
            _exit(vsm_store_remove(s) == VSM_OK ? 0 : 3);
        }
        waitpid(pid, NULL, 0);
        s = reopen();
        found = load(s);
        CHECK(found == 10 || found == 20 || found == VSM_EOF);
        CHECK_INT(vsm_store_remove(s), VSM_OK);
        CHECK(!exists(""));
    }
}

#else

static void test_killed_at_every_point(void)
{
    tap_skip("needs -Dfault_points=true");
}

static void test_every_call_fails_once(void)
{
    tap_skip("needs -Dfault_points=true");
}

static void test_open_and_load_fail_once(void)
{
    tap_skip("needs -Dfault_points=true");
}

static void test_disk_stays_full(void)
{
    tap_skip("needs -Dfault_points=true");
}

static void test_killed_while_removing(void)
{
    tap_skip("needs -Dfault_points=true");
}

#endif

int main(void)
{
    /* In memory if possible: every commit syncs. */
    snprintf(root, sizeof(root), "%s/vsm-store-%ld", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp",
             (long)getpid());
    if (mkdir(root, 0700) != 0)
        return 1;
    alarm(60);
    RUN(test_two_newest_are_kept);
    RUN(test_damaged_newest_falls_back);
    RUN(test_foreign_names_and_moved_files);
    RUN(test_commit_needs_load_or_discard);
    RUN(test_close_keeps_only_what_can_be_resumed);
    RUN(test_folder_that_is_none);
    RUN(test_second_process_is_refused_and_dead_one_replaced);
    RUN(test_lock_through_symlink_is_refused);
    RUN(test_status_file);
    RUN(test_killed_at_every_point);
    RUN(test_every_call_fails_once);
    RUN(test_open_and_load_fail_once);
    RUN(test_disk_stays_full);
    RUN(test_killed_while_removing);
    return rmdir(root) != 0 || tap_done();
}
