#define _GNU_SOURCE
#include "CLinux.h"
#include <fcntl.h>
#include <link.h>
#include <malloc.h>
#include <signal.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

int clinux_reserve(int descriptor, int64_t length) { return fallocate(descriptor, FALLOC_FL_KEEP_SIZE, 0, length); }

int clinux_rename_exclusively(const char *from, const char *to) {
    return renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE);
}

int clinux_is_in_memory(const char *path) {
    struct statfs information;
    if (statfs(path, &information) != 0) return 0;
    return information.f_type == TMPFS_MAGIC || information.f_type == RAMFS_MAGIC;
}

void clinux_tune_malloc(void) {
#ifdef M_ARENA_MAX
    mallopt(M_ARENA_MAX, 1);
    mallopt(M_MMAP_THRESHOLD, 64 << 10);
    mallopt(M_TRIM_THRESHOLD, 64 << 10);
#endif
}

static int release_object(struct dl_phdr_info *object, size_t size, void *unused) {
    (void)size, (void)unused;
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    for (int i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &object->dlpi_phdr[i];
        // What can be written may hold relocations, which the file does not have.
        if (part->p_type != PT_LOAD || part->p_flags & PF_W) continue;
        uintptr_t start = (object->dlpi_addr + part->p_vaddr) & ~(page - 1);
        uintptr_t end = object->dlpi_addr + part->p_vaddr + part->p_memsz;
        madvise((void *)start, end - start, MADV_DONTNEED);
    }
    return 0;
}

void clinux_release_program_pages(void) { dl_iterate_phdr(release_object, 0); }

static int argument_count;
static char **arguments;

// glibc gives its initialisers what it gives main.
__attribute__((constructor)) static void keep_arguments(int count, char **given) {
    argument_count = count;
    arguments = given;
}

const char *clinux_argument(int index) { return index < argument_count ? arguments[index] : 0; }

extern char **environ;

const char *clinux_variable(int index) {
    return environ ? environ[index] : 0;
}

int clinux_start_self(const char *const words[]) {
    pid_t parent = getpid();
    // What a library path says is for the loader; anything else would be a setting.
    const char *libraries = getenv("LD_LIBRARY_PATH");
    char line[4096] = "";
    if (libraries) snprintf(line, sizeof line, "LD_LIBRARY_PATH=%s", libraries);
    char *const environment[] = {libraries ? line : 0, 0};
    pid_t child = fork();
    if (child != 0) return child;
    // From here to execve only what is safe after a fork in a program of many threads.
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(1);
    setpgid(0, 0);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, 0);
    int nowhere = open("/dev/null", O_WRONLY);
    if (nowhere >= 0) dup2(nowhere, STDOUT_FILENO);
    execve("/proc/self/exe", (char *const *)words, environment);
    _exit(127);
}

int clinux_output_failed(void) { return ferror(stdout); }

int clinux_exit_status(int pid) {
    siginfo_t end = {0};
    if (waitid(P_PID, (id_t)pid, &end, WEXITED | WNOHANG | WNOWAIT) != 0 || end.si_pid != pid) return -1;
    return end.si_code == CLD_EXITED ? end.si_status : 128 + end.si_status;
}
