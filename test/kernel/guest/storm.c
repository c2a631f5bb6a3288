// SPDX-License-Identifier: MIT
/*
 * Random work of several threads at a time on the same files and buffers, all of it correct: whatever an unpin, a free or a
 * mapping looks like here, nobody did anything wrong. Only file pages may be written back while they are pinned.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>

#include "work.h"

#define THREADS 4
#define PAGES_MAX 12
/* few places, so that threads read and write the same sectors at a time */
#define PLACES 24
#define FILE_PAGES 64
#define SHARED_PAGES 64
#define HUGE_BYTES (2UL << 20)
#define HUGE_PAGES (HUGE_BYTES / PAGE)

static const char *storm_dir;
static int direct, buffered, mapped_file;
/* what all threads use: one huge page, a mapped file, shared memory */
static char *huge, *file_pages, *shared;
static volatile int over;

static unsigned int below(unsigned int *seed, unsigned int n)
{
	*seed = *seed * 1103515245u + 12345u;
	return (*seed >> 16) % n;
}

static void nap(unsigned int *seed, unsigned int most_us)
{
	struct timespec ts = {0, below(seed, most_us) * 1000L};

	nanosleep(&ts, NULL);
}

/* I/O may fail and be short here: that is correct too. */
static void rd(void *at, unsigned int bytes, off_t offset)
{
	if (pread(direct, at, bytes, offset) < 0)
		return;
}

static void wr(void *at, unsigned int bytes, off_t offset)
{
	if (pwrite(direct, at, bytes, offset) < 0)
		return;
}

static char *untouched(unsigned int pages)
{
	char *at = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED)
		die("mmap");
	return at;
}

/* A huge page of its own inside `*all`, which is twice as large. */
static char *huge_page(char **all)
{
	char *at;

	*all = untouched(2 * HUGE_PAGES);
	at = (char *)(((uintptr_t)*all + HUGE_BYTES - 1) & ~(HUGE_BYTES - 1));
	madvise(at, HUGE_BYTES, MADV_HUGEPAGE);
	at[0] = 1;
	return at;
}

static void own_buffer(unsigned int *seed, unsigned int pages, off_t at)
{
	char *buffer = untouched(pages);

	/* pages that were not written to are the zero page for a write to the disk */
	if (below(seed, 2))
		memset(buffer, 1, pages * PAGE);
	wr(buffer, pages * PAGE, at);
	rd(buffer, pages * PAGE, at);
	munmap(buffer, pages * PAGE);
}

static void one_huge_page(unsigned int *seed, unsigned int pages, off_t at)
{
	char *buffer = huge + below(seed, HUGE_PAGES - PAGES_MAX - 1) * PAGE;

	if (below(seed, 4))
		rd(buffer + below(seed, 8) * 512, (pages - 1) * PAGE + 512 * (1 + below(seed, 7)), at);
	else
		wr(buffer, pages * PAGE, at);
}

static void file_mapping(unsigned int *seed, unsigned int pages, off_t at)
{
	char *page = file_pages + below(seed, FILE_PAGES - PAGES_MAX) * PAGE;

	if (below(seed, 3)) {
		rd(page, pages * PAGE, at);
		return;
	}
	*page ^= 1;
	if (below(seed, 2))
		fdatasync(mapped_file);
	else
		msync(file_pages, FILE_PAGES * PAGE, MS_SYNC);
}

static void private_mapping(unsigned int *seed, unsigned int pages, off_t at)
{
	char *map = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, mapped_file, 0);

	if (map == MAP_FAILED)
		die("mmap of the file");
	if (below(seed, 2))
		map[0] = 1;
	rd(map, pages * PAGE, at);
	wr(map, pages * PAGE, at);
	munmap(map, pages * PAGE);
}

static void forked(unsigned int *seed, unsigned int pages, off_t at)
{
	char *buffer = anonymous(pages);
	int kills = below(seed, 2);
	pid_t child = fork();

	if (child == 0) {
		for (unsigned int i = 0; i < 1 + 20 * (unsigned int)kills; i++) {
			buffer[0] = 3;
			rd(buffer, pages * PAGE, at);
		}
		_exit(0);
	}
	rd(buffer, pages * PAGE, at);
	buffer[0] = 4;
	if (child > 0) {
		nap(seed, 3000);
		if (kills)
			kill(child, SIGKILL);
		waitpid(child, NULL, 0);
	}
	munmap(buffer, pages * PAGE);
}

/* The memory goes while the device has it still: the pins keep the pages. */
static void gone_meanwhile(unsigned int *seed, unsigned int pages, off_t at)
{
	int unmaps = below(seed, 2);
	char *buffer = untouched(pages);
	struct ring ring;

	ring_open(&ring);
	ring_put(&ring, below(seed, 2) ? IORING_OP_READ : IORING_OP_WRITE, direct, buffer, pages * PAGE, at, 0);
	ring_put(&ring, IORING_OP_READ, direct, buffer, PAGE, at, 0);
	ring_submit(&ring);
	if (unmaps)
		munmap(buffer, pages * PAGE);
	else
		madvise(buffer, pages * PAGE, MADV_DONTNEED);
	nap(seed, 300);
	ring_finish(&ring);
	if (!unmaps)
		munmap(buffer, pages * PAGE);
	ring_close(&ring);
}

static void fixed_buffers(unsigned int *seed, unsigned int pages, off_t at)
{
	int own = below(seed, 2);
	char *first = own ? anonymous(pages) : huge + below(seed, HUGE_PAGES - PAGES_MAX) * PAGE;
	struct iovec vec[2] = {{first, pages * PAGE}, {huge + below(seed, HUGE_PAGES - 3) * PAGE, 3 * PAGE}};
	struct ring ring;

	ring_open(&ring);
	if (!ring_register(&ring, vec, 2)) {
		for (int i = 0; i < 3; i++) {
			int opcode = below(seed, 2) ? IORING_OP_READ_FIXED : IORING_OP_WRITE_FIXED;

			ring_put(&ring, opcode, direct, vec[i & 1].iov_base, vec[i & 1].iov_len, at, i & 1);
			ring_submit(&ring);
			if (below(seed, 2))
				ring_finish(&ring);
		}
		nap(seed, 2000);
		if (below(seed, 2))
			ring_unregister(&ring);
		/* else the ring goes while the device is at work */
		if (below(seed, 2))
			ring_finish(&ring);
	}
	if (own)
		munmap(first, pages * PAGE);
	ring_close(&ring);
}

static void spliced(unsigned int *seed, unsigned int pages, off_t at)
{
	char *buffer = anonymous(4);
	struct iovec vec = {buffer, 4 * PAGE};
	off_t from = 0;
	int ends[2];

	(void)at;
	if (pipe(ends))
		die("pipe");
	if (vmsplice(ends[1], &vec, 1, 0) > 0 && below(seed, 2))
		splice(ends[0], NULL, buffered, NULL, 4 * PAGE, 0);
	nap(seed, 300);
	munmap(buffer, 4 * PAGE);
	close(ends[0]);
	close(ends[1]);
	if (sendfile(buffered, mapped_file, &from, pages * PAGE) > 0)
		fdatasync(buffered);
}

/* The file loses its pages while they are read into. */
static void truncated(unsigned int *seed, unsigned int pages, off_t at)
{
	int file = open_file(storm_dir, below(seed, 2) ? "truncated-1" : "truncated-2", 0);
	struct ring ring;
	char *map;

	if (ftruncate(file, pages * PAGE))
		die("ftruncate");
	map = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	if (map == MAP_FAILED)
		die("mmap of the file");
	ring_open(&ring);
	ring_put(&ring, IORING_OP_READ, direct, map, pages * PAGE, at, 0);
	ring_submit(&ring);
	if (ftruncate(file, 0))
		die("ftruncate");
	ring_finish(&ring);
	ring_close(&ring);
	munmap(map, pages * PAGE);
	close(file);
}

/* A huge page is split while parts of it are read into. */
static void split(unsigned int *seed, unsigned int pages, off_t at)
{
	char *all, *page = huge_page(&all);
	char *part = page + below(seed, HUGE_PAGES / 2) * PAGE, *rest = part + HUGE_BYTES / 4;
	struct ring ring;

	ring_open(&ring);
	for (int i = 0; i < 2; i++)
		ring_put(&ring, IORING_OP_READ, direct, page + below(seed, HUGE_PAGES - PAGES_MAX) * PAGE, pages * PAGE, at, 0);
	ring_submit(&ring);
	munmap(part, HUGE_BYTES / 4);
	ring_finish(&ring);
	ring_close(&ring);
	/* another thread may have mapped something where the part was */
	munmap(all, part - all);
	munmap(rest, all + 2 * HUGE_BYTES - rest);
}

static void moved(unsigned int *seed, unsigned int pages, off_t at)
{
	char *buffer = untouched(pages);
	char *there;

	(void)seed;
	wr(buffer, pages * PAGE, at);
	there = mremap(buffer, pages * PAGE, (pages + 8) * PAGE, MREMAP_MAYMOVE);
	if (there == MAP_FAILED)
		die("mremap");
	rd(there, pages * PAGE, at);
	munmap(there, (pages + 8) * PAGE);
}

static void by_others(unsigned int *seed, unsigned int pages, off_t at)
{
	char *buffer = anonymous(pages);
	struct iovec to = {buffer, pages * PAGE}, from = {shared, pages * PAGE};

	rd(shared + below(seed, SHARED_PAGES - PAGES_MAX) * PAGE, pages * PAGE, at);
	shared[below(seed, SHARED_PAGES) * PAGE]++;
	if (process_vm_readv(getpid(), &to, 1, &from, 1, 0) > 0)
		wr(buffer, pages * PAGE, at);
	munmap(buffer, pages * PAGE);
}

static void (*const deeds[])(unsigned int *seed, unsigned int pages, off_t at) = {
	own_buffer,  own_buffer,	 one_huge_page,	 one_huge_page, one_huge_page, file_mapping, file_mapping, private_mapping,
	forked,	     gone_meanwhile, gone_meanwhile, fixed_buffers, fixed_buffers, spliced,	     truncated,	   split,
	moved,	     by_others,
};

static void *at_random(void *argument)
{
	unsigned int seed = *(unsigned int *)argument;

	while (!over) {
		unsigned int pages = 1 + below(&seed, PAGES_MAX);

		deeds[below(&seed, sizeof(deeds) / sizeof(deeds[0]))](&seed, pages, below(&seed, PLACES) * PAGE);
		/* probes that are met while others are handled are missed: not all at once */
		nap(&seed, 30000);
	}
	return NULL;
}

void storm(const char *dir, unsigned int seed, unsigned int seconds)
{
	pthread_t threads[THREADS];
	unsigned int seeds[THREADS];
	char *all;

	storm_dir = dir;
	direct = open_file(dir, "direct", O_DIRECT);
	buffered = open_file(dir, "buffered", 0);
	mapped_file = open_file(dir, "mapped", 0);
	if (ftruncate(mapped_file, FILE_PAGES * PAGE))
		die("ftruncate");
	file_pages = mmap(NULL, FILE_PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, mapped_file, 0);
	shared = mmap(NULL, SHARED_PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (file_pages == MAP_FAILED || shared == MAP_FAILED)
		die("mmap");
	memset(file_pages, 1, FILE_PAGES * PAGE);
	huge = huge_page(&all);
	for (unsigned int i = 0; i < PLACES + PAGES_MAX; i++)
		wr(huge, PAGE, i * PAGE);
	for (unsigned int i = 0; i < THREADS; i++) {
		seeds[i] = seed * 977 + i * 131;
		if (pthread_create(&threads[i], NULL, at_random, &seeds[i]))
			die("thread");
	}
	pause_ms(seconds * 1000L);
	over = 1;
	for (unsigned int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
}
