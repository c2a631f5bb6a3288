/* SPDX-License-Identifier: MIT */
/* What the parts of the work share. */
#ifndef WORK_H
#define WORK_H

#include <linux/io_uring.h>
#include <stdint.h>
#include <unistd.h>

#define PAGE ((unsigned long)getpagesize())

void die(const char *what);
uint64_t now(void);
void pause_ms(long ms);
/* pages of their own, written to */
char *anonymous(unsigned int pages);
int open_file(const char *dir, const char *name, int flags);

/* The smallest io_uring there can be, by hand (io_uring_setup(2)). */
struct ring {
	int fd;
	struct io_uring_params params;
	char *sq, *cq;
	struct io_uring_sqe *sqes;
	/* put into the queue; given to the kernel and not seen to be complete */
	unsigned int put, flying;
};

void ring_open(struct ring *ring);
/* puts a request into the queue; ring_submit() hands over what is in it */
void ring_put(struct ring *ring, int opcode, int fd, void *at, unsigned int bytes, uint64_t offset, int buffer);
void ring_submit(struct ring *ring);
/* waits until all is complete; the last result */
int ring_finish(struct ring *ring);
int ring_register(struct ring *ring, const struct iovec *vec, unsigned int nr);
int ring_unregister(struct ring *ring);
void ring_close(struct ring *ring);

void storm(const char *dir, unsigned int seed, unsigned int seconds);

#endif
