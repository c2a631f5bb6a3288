// SPDX-License-Identifier: MIT
/*
 * Work for a test guest: correct I/O of several kinds, and (with the pinbad module) deliberate mistakes.
 * Every deed prints one line of truth that the host compares with what pinscope says:
 *
 *   deed name=EARLY_UNPIN pid=71 t0=5120000000 t1=5127000000 pfns=0x2dd9,0x2dda
 *
 * Times are CLOCK_MONOTONIC in ns, the clock the recorders use. PFNs come from the module, or from
 * /proc/self/pagemap (Documentation/admin-guide/mm/pagemap.rst) for the program's own buffers.
 *
 *   work odirect DIR     O_DIRECT writes and reads of anonymous buffers
 *   work uring DIR       fixed buffers: registered, used for several reads, unregistered
 *   work filemap DIR     O_DIRECT reads into a shared mapping of another file while a thread syncs that file
 *   work good DIR        correct use of the module: also two pins at once, and a get beside a pin
 *   work bad DIR         the mistakes
 *   work across DIR      one mistake that lasts: pins, makes /tmp/pinned, and unpins early when /tmp/lost is there
 *   work storm DIR SEED SECONDS   random correct work of several threads (storm.c)
 *   work cost DIR        the time of a pin, a DMA mapping and an unpin of one page, in ns: the mean of many
 *   work after FILE PART,PART... DIR   waits until the file is there, then does these parts, all in this process
 *   work kill SIGNAL WHEN COMMAND...   starts the command in a process group of its own, with default signals, and sends
 *                                      SIGNAL after WHEN milliseconds, or when the file WHEN is there: to the group as
 *                                      Ctrl-C does if it is 2, else to the command alone. Ends with the command's status.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "pinbad/pinbad.h"
#include "work.h"

#define TO_DEVICE 1u
#define FROM_DEVICE 2u

void die(const char *what)
{
	printf("work failed: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

uint64_t now(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

void pause_ms(long ms)
{
	struct timespec ts = {ms / 1000, ms % 1000 * 1000000L};

	nanosleep(&ts, NULL);
}

char *anonymous(unsigned int pages)
{
	char *at = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED)
		die("mmap");
	madvise(at, pages * PAGE, MADV_NOHUGEPAGE);
	memset(at, 0x5a, pages * PAGE);
	return at;
}

static uint64_t pfn_of(const void *at)
{
	static int fd = -1;
	uint64_t entry = 0;

	if (fd < 0)
		fd = open("/proc/self/pagemap", O_RDONLY);
	if (pread(fd, &entry, 8, (uintptr_t)at / PAGE * 8) != 8)
		die("pagemap");
	return entry & ((1ULL << 55) - 1);
}

static void tell(const char *name, uint64_t t0, const uint64_t *pfn, unsigned int nr)
{
	printf("deed name=%s pid=%d t0=%llu t1=%llu pfns=", name, getpid(), (unsigned long long)t0,
	       (unsigned long long)now());
	for (unsigned int i = 0; i < nr; i++)
		printf("%s0x%llx", i ? "," : "", (unsigned long long)pfn[i]);
	printf("\n");
	fflush(stdout);
}

static void tell_buffer(const char *name, uint64_t t0, const char *at, unsigned int pages)
{
	uint64_t pfn[64];

	for (unsigned int i = 0; i < pages; i++)
		pfn[i] = pfn_of(at + i * PAGE);
	tell(name, t0, pfn, pages);
}

int open_file(const char *dir, const char *name, int flags)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, flags | O_CREAT | O_RDWR, 0600);
	if (fd < 0)
		die(path);
	return fd;
}

static void odirect(const char *dir)
{
	int fd = open_file(dir, "odirect", O_DIRECT);

	for (unsigned int i = 0; i < 6; i++) {
		unsigned int pages = 1 + i * 3;
		char *buffer = anonymous(pages);
		uint64_t t0 = now();

		if (pwrite(fd, buffer, pages * PAGE, i * 65536) != (ssize_t)(pages * PAGE))
			die("direct write");
		if (pread(fd, buffer, pages * PAGE, i * 65536) != (ssize_t)(pages * PAGE))
			die("direct read");
		tell_buffer("ODIRECT", t0, buffer, pages);
		munmap(buffer, pages * PAGE);
	}
	close(fd);
}

static void uring(const char *dir)
{
	int fd = open_file(dir, "uring", O_DIRECT);
	unsigned int pages = 8;
	char *buffer = anonymous(pages);
	struct iovec vec = {buffer, pages * PAGE};
	struct ring ring;
	uint64_t t0;

	ring_open(&ring);
	if (pwrite(fd, buffer, pages * PAGE, 0) != (ssize_t)(pages * PAGE))
		die("direct write");
	t0 = now();
	if (ring_register(&ring, &vec, 1))
		die("io_uring_register");
	for (unsigned int i = 0; i < 5; i++) {
		ring_put(&ring, i % 2 ? IORING_OP_WRITE_FIXED : IORING_OP_READ_FIXED, fd, buffer, pages * PAGE, 0, 0);
		ring_submit(&ring);
		if (ring_finish(&ring) != (int)(pages * PAGE))
			die("io_uring request");
	}
	if (ring_unregister(&ring))
		die("unregister");
	tell_buffer("URING_FIXED", t0, buffer, pages);
	ring_close(&ring);
	close(fd);
}

static volatile int syncing;
static int sync_fd;
/* A reader that waits for a CPU after its read can have a sync or two in that time: so many cannot all be after it. */
#define SYNCS 3
/* number of the read under way, 0 between two reads */
static volatile unsigned int reading;
/* syncs that began and ended during that read, or the last one */
static volatile unsigned int syncs_inside;

static void *sync_loop(void *map)
{
	while (syncing) {
		unsigned int during = reading;

		((volatile char *)map)[64] ^= 1; /* there must be something to write back */
		if (fsync(sync_fd))
			die("fsync");
		if (during && reading == during)
			syncs_inside++;
	}
	return NULL;
}

/*
 * The disk answers reads late (qemu.ts), and writes at once: a sync that begins after a read does is over before it.
 * Goes on until that has happened to ten reads, which are told by another name than the rest.
 */
static void filemap(const char *dir)
{
	unsigned int pages = 4, met = 0;
	int from = open_file(dir, "filemap-from", O_DIRECT);
	char *data = anonymous(pages);
	uint64_t begun = now();
	char *map;
	pthread_t thread;

	sync_fd = open_file(dir, "filemap-to", 0);
	if (ftruncate(sync_fd, pages * PAGE) || pwrite(sync_fd, data, pages * PAGE, 0) < 0 || fsync(sync_fd))
		die("prepare");
	if (pwrite(from, data, pages * PAGE, 0) < 0)
		die("direct write");
	map = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, sync_fd, 0);
	if (map == MAP_FAILED)
		die("mmap of the file");
	memset(map, 1, pages * PAGE);
	syncing = 1;
	if (pthread_create(&thread, NULL, sync_loop, map))
		die("thread");
	for (unsigned int i = 1; i <= 25 || (met < 10 && now() - begun < 60000000000ULL); i++) {
		uint64_t t0 = now();

		syncs_inside = 0;
		reading = i;
		if (pread(from, map, pages * PAGE, 0) != (ssize_t)(pages * PAGE))
			die("direct read into the mapping");
		reading = 0;
		met += syncs_inside >= SYNCS;
		tell_buffer(syncs_inside >= SYNCS ? "SYNCED_READ" : "FILEMAP_READ", t0, map, pages);
	}
	syncing = 0;
	pthread_join(thread, NULL);
	munmap(map, pages * PAGE);
	close(sync_fd);
	close(from);
}

static int module_fd;
static uint64_t deed_pfn[PINBAD_MAX_PAGES];

static void step(enum pinbad_step what, unsigned int slot, const char *addr, unsigned int nr, unsigned int flags,
		 unsigned int dir)
{
	struct pinbad_call call = {
		.addr = (uintptr_t)addr, .nr = nr, .step = what, .slot = slot, .flags = flags, .dir = dir};

	if (ioctl(module_fd, PINBAD_IOC, &call))
		die("pinbad");
	if (what == PINBAD_PIN || what == PINBAD_GET)
		memcpy(deed_pfn, call.pfn, sizeof(deed_pfn));
}

static void end(unsigned int slot)
{
	step(PINBAD_CLEAR, slot, NULL, 0, 0, 0);
}

static void open_module(void)
{
	cpu_set_t one;

	/* One CPU: pages wait in batches of the CPU that first touched them, and would be freed later by another. */
	CPU_ZERO(&one);
	CPU_SET(0, &one);
	if (sched_setaffinity(0, sizeof(one), &one))
		die("sched_setaffinity");
	module_fd = open("/dev/pinbad", O_RDWR);
	if (module_fd < 0)
		die("/dev/pinbad");
}

/* The right order, in the forms that pinscope must be silent about. */
static void good(void)
{
	open_module();
	for (unsigned int i = 0; i < 4; i++) {
		unsigned int nr = 2 + i;
		char *buffer = anonymous(nr);
		uint64_t t0 = now();

		step(PINBAD_PIN, 0, buffer, nr, PINBAD_WRITE, 0);
		step(PINBAD_MAP, 0, NULL, 0, i % 2 ? PINBAD_SG : 0, FROM_DEVICE);
		if (i == 2) { /* a second pin comes and goes during the transfer */
			step(PINBAD_PIN, 1, buffer, nr, 0, 0);
			step(PINBAD_UNPIN, 1, NULL, 0, 0, 0);
			end(1);
		}
		if (i == 3) { /* so does a plain reference */
			step(PINBAD_GET, 1, buffer, nr, 0, 0);
			step(PINBAD_PUT, 1, NULL, 0, 0, 0);
			end(1);
		}
		pause_ms(2);
		step(PINBAD_UNMAP, 0, NULL, 0, 0, 0);
		step(PINBAD_UNPIN, 0, NULL, 0, PINBAD_DIRTY, 0);
		end(0);
		tell("GOOD", t0, deed_pfn, nr);
		munmap(buffer, nr * PAGE);
	}
}

static void early_unpin(unsigned int nr, unsigned int flags)
{
	char *buffer = anonymous(nr);
	uint64_t t0 = now();

	step(PINBAD_PIN, 0, buffer, nr, PINBAD_WRITE, 0);
	step(PINBAD_MAP, 0, NULL, 0, flags, FROM_DEVICE);
	pause_ms(2);
	step(PINBAD_UNPIN, 0, NULL, 0, 0, 0);
	pause_ms(2);
	step(PINBAD_UNMAP, 0, NULL, 0, 0, 0);
	end(0);
	tell("EARLY_UNPIN", t0, deed_pfn, nr);
	/* Kept mapped: the deed is over, and nothing more shall happen to these pages while it is judged. */
}

static void free_while_dma(unsigned int nr)
{
	char *buffer = anonymous(nr);
	uint64_t t0;

	/* New pages wait in a batch (15 or 31 of them) that holds references: those after them push them out of it. */
	anonymous(64);
	t0 = now();
	step(PINBAD_PIN, 0, buffer, nr, PINBAD_WRITE, 0);
	step(PINBAD_MAP, 0, NULL, 0, 0, FROM_DEVICE);
	pause_ms(2);
	step(PINBAD_UNPIN, 0, NULL, 0, 0, 0);
	munmap(buffer, nr * PAGE);
	pause_ms(2);
	step(PINBAD_UNMAP, 0, NULL, 0, 0, 0);
	end(0);
	tell("FREE_WHILE_DMA", t0, deed_pfn, nr);
}

static void unpin_twice(unsigned int nr)
{
	char *buffer = anonymous(nr);
	uint64_t t0 = now();

	step(PINBAD_PIN, 0, buffer, nr, PINBAD_WRITE, 0);
	step(PINBAD_UNPIN, 0, NULL, 0, 0, 0);
	pause_ms(1);
	step(PINBAD_UNPIN_TWICE, 0, NULL, 0, 0, 0);
	end(0);
	tell("UNPIN_TWICE", t0, deed_pfn, nr);
}

static void leak(unsigned int nr)
{
	char *buffer = anonymous(nr);
	uint64_t t0 = now();

	step(PINBAD_PIN, 0, buffer, nr, PINBAD_WRITE, 0);
	step(PINBAD_MAP, 0, NULL, 0, 0, FROM_DEVICE);
	pause_ms(1);
	step(PINBAD_UNMAP, 0, NULL, 0, 0, 0);
	step(PINBAD_FORGET, 0, NULL, 0, 0, 0);
	tell("LEAK_PIN", t0, deed_pfn, nr);
	munmap(buffer, nr * PAGE);
}

/* A file's pages are pinned for a device to write to, and written back meanwhile. */
static void writeback_pinned(const char *dir, const char *name, unsigned int nr, int late_dirty)
{
	int fd = open_file(dir, name, 0);
	char *map;
	uint64_t t0;

	if (ftruncate(fd, nr * PAGE))
		die("ftruncate");
	map = mmap(NULL, nr * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		die("mmap of the file");
	memset(map, 7, nr * PAGE);
	t0 = now();
	step(PINBAD_PIN, 0, map, nr, PINBAD_WRITE, 0);
	step(PINBAD_MAP, 0, NULL, 0, 0, FROM_DEVICE);
	if (fsync(fd))
		die("fsync");
	step(PINBAD_UNMAP, 0, NULL, 0, 0, 0);
	if (late_dirty) { /* clean since the fsync, unpinned clean, and dirtied only then */
		step(PINBAD_UNPIN, 0, NULL, 0, 0, 0);
		pause_ms(1);
		step(PINBAD_DIRTY_NOW, 0, NULL, 0, 0, 0);
	} else {
		step(PINBAD_UNPIN, 0, NULL, 0, PINBAD_DIRTY, 0);
	}
	end(0);
	tell(late_dirty ? "DIRTY_AFTER_UNPIN" : "WRITEBACK_PINNED", t0, deed_pfn, nr);
	munmap(map, nr * PAGE);
	close(fd);
}

static void bad(const char *dir)
{
	open_module();
	early_unpin(3, 0);
	early_unpin(5, PINBAD_SG);
	free_while_dma(2);
	unpin_twice(2);
	leak(3);
	writeback_pinned(dir, "wb", 4, 0);
	writeback_pinned(dir, "late", 2, 1);
	early_unpin(1, 0);
}

static void wait_for(const char *file)
{
	while (access(file, F_OK))
		pause_ms(100);
}

static void across(void)
{
	char *buffer = anonymous(2);
	uint64_t t0 = now();

	open_module();
	step(PINBAD_PIN, 2, buffer, 2, PINBAD_WRITE, 0);
	step(PINBAD_MAP, 2, NULL, 0, 0, FROM_DEVICE);
	close(creat("/tmp/pinned", 0600));
	wait_for("/tmp/lost");
	step(PINBAD_UNPIN, 2, NULL, 0, 0, 0);
	pause_ms(2);
	step(PINBAD_UNMAP, 2, NULL, 0, 0, 0);
	end(2);
	tell("ACROSS_LOSS", t0, deed_pfn, 2);
}

static void cost(void)
{
	const unsigned int rounds = 2000;
	char *buffer = anonymous(1);
	uint64_t t0, own;

	open_module();
	t0 = now();
	own = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	for (unsigned int i = 0; i < rounds; i++) {
		step(PINBAD_PIN, 0, buffer, 1, PINBAD_WRITE, 0);
		step(PINBAD_MAP, 0, NULL, 0, 0, FROM_DEVICE);
		step(PINBAD_UNMAP, 0, NULL, 0, 0, 0);
		step(PINBAD_UNPIN, 0, NULL, 0, 0, 0);
		end(0);
	}
	own = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - own;
	printf("%llu of its own CPU time, %llu with whatever else ran meanwhile\n", (unsigned long long)(own / rounds),
	       (unsigned long long)((now() - t0) / rounds));
}

static int kill_command(int signal_number, const char *when, char **command)
{
	int status;
	pid_t child = fork();

	if (child < 0)
		die("fork");
	if (child == 0) {
		setpgid(0, 0);
		/* a shell's background job ignores these, and a script cannot undo that */
		signal(SIGINT, SIG_DFL);
		signal(SIGQUIT, SIG_DFL);
		execvp(command[0], command);
		die(command[0]);
	}
	setpgid(child, child);
	if (when[0] == '/')
		wait_for(when);
	else
		pause_ms(atol(when));
	kill(signal_number == SIGINT ? -child : child, signal_number);
	if (waitpid(child, &status, 0) != child)
		die("waitpid");
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static int part(const char *name, const char *dir)
{
	if (!strcmp(name, "odirect"))
		odirect(dir);
	else if (!strcmp(name, "uring"))
		uring(dir);
	else if (!strcmp(name, "filemap"))
		filemap(dir);
	else if (!strcmp(name, "good"))
		good();
	else if (!strcmp(name, "bad"))
		bad(dir);
	else if (!strcmp(name, "across"))
		across();
	else if (!strcmp(name, "cost"))
		cost();
	else
		return 2;
	return 0;
}

int main(int argc, char **argv)
{
	int status = 0;

	if (argc > 4 && !strcmp(argv[1], "kill"))
		return kill_command(atoi(argv[2]), argv[3], argv + 4);
	if (argc == 5 && !strcmp(argv[1], "after")) {
		wait_for(argv[2]);
		for (char *name = strtok(argv[3], ","); name && !status; name = strtok(NULL, ","))
			status = part(name, argv[4]);
		return status;
	}
	if (argc == 5 && !strcmp(argv[1], "storm")) {
		storm(argv[2], atoi(argv[3]), atoi(argv[4]));
		return 0;
	}
	if (argc == 3 && !part(argv[1], argv[2]))
		return 0;
	printf("usage: work odirect|uring|filemap|good|bad|across|cost DIR\n");
	return 2;
}
